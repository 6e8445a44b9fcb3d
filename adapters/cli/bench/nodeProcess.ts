/** A node on a Postgres server, as a process of its own, for benches. Whoever asks is not asked for a key. */
import { spawn } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { EmbeddedPostgres } from "../../postgres/EmbeddedPostgres.ts"
import { isReady } from "../cluster/isReady.ts"

const launcher = path.join(import.meta.dirname, "..", "stormglass.js")

interface NodeOptions {
  readonly port: number
  readonly roles?: string
  /** Directory for its processor profile; empty: none. */
  readonly profile?: string
}

/** Its process id, once it is ready; ended with the scope. */
export const nodeProcess = Effect.fnUntraced(function* (
  { connection }: EmbeddedPostgres,
  { port, profile = "", roles = "api,worker" }: NodeOptions
) {
  const { database, host, password, username } = connection
  const url = `postgres://${username}:${Redacted.value(password) as string}@${host}:${connection.port}/${database}`
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-load-"))
  const profiled = profile === "" ? [] : ["--cpu-prof", `--cpu-prof-dir=${path.resolve(profile)}`]
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        [
          ...profiled,
          launcher,
          "serve",
          "--id",
          "n1",
          "--port",
          String(port),
          "--roles",
          roles,
          "--migrate",
          "--directory",
          directory
        ],
        {
          env: { ...process.env, DATABASE_URL: url, STORMGLASS_OPEN: "true" },
          stdio: ["ignore", "ignore", "inherit"],
          // A group of its own, as the launcher is a process beside the node.
          detached: true
        }
      )
    ),
    (node) =>
      Effect.promise(async () => {
        const ended = new Promise((resolve) => node.once("exit", resolve))
        if (node.exitCode === null && node.kill("SIGTERM")) await ended
        fs.rmSync(directory, { recursive: true, force: true })
      })
  )
  const pid = child.pid
  if (pid === undefined) throw new Error("the node could not be started")
  yield* Effect.promise(async () => {
    for (let tries = 0; tries < readyTries; tries++) {
      if (await isReady(`http://127.0.0.1:${port}`)) return
      await sleep(100)
    }
    throw new Error("the node did not become ready")
  })
  return pid
})

const readyTries = 300
