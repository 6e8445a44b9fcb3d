/**
 * `node adapters/cli/bench/httpLoad.ts`: idempotent requests through HTTP to one node on real Postgres, beside their generator on the same
 * machine, and the bare SQL of the same work: new keys, then the same keys again. Rates and latencies as measured, and the ratio.
 */
import { type ChildProcess, spawn } from "node:child_process"
import fs from "node:fs"
import http from "node:http"
import os from "node:os"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { make } from "../../postgres/EmbeddedPostgres.ts"

const port = 18_777
const concurrency = Number(process.env["CONCURRENCY"] ?? 32)
const requests = Number(process.env["REQUESTS"] ?? 20_000)
const root = new URL("../../../", import.meta.url).pathname

interface Measured {
  readonly perSecond: number
  readonly p50Millis: number
  readonly p99Millis: number
  readonly statuses: Readonly<Record<string, number>>
}

const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency })

function post(key: string, name: string): Promise<number> {
  const body = JSON.stringify({ name, spec: { image: "web:1", size: "small" } })
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        port,
        host: "127.0.0.1",
        agent,
        method: "POST",
        path: "/v1/projects/bench/instances",
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          "idempotency-key": key
        }
      },
      (response) => {
        response.resume()
        response.on("end", () => resolve(response.statusCode ?? 0))
      }
    )
    request.on("error", reject)
    request.end(body)
  })
}

async function load(keyOf: (nth: number) => string): Promise<Measured> {
  const millis: Array<number> = []
  const statuses: Record<string, number> = {}
  let nth = 0
  const started = performance.now()
  const lane = async (): Promise<void> => {
    while (nth < requests) {
      const own = nth++
      const from = performance.now()
      const status = await post(keyOf(own), `i-${own}`)
      millis.push(performance.now() - from)
      statuses[status] = (statuses[status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  const seconds = (performance.now() - started) / 1_000
  const sorted = millis.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0
  return { perSecond: requests / seconds, p50Millis: at(0.5), p99Millis: at(0.99), statuses }
}

async function ready(): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const isReady = await fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false
    )
    if (isReady) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error("the node did not become ready")
}

const program = Effect.gen(function* () {
  const server = yield* make({ fsync: process.env["FSYNC"] === "1" })
  const { database, host, password, port: databasePort, username } = server.connection
  const url = `postgres://${username}:${Redacted.value(password) as string}@${host}:${databasePort}/${database}`
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-load-"))
  const node: ChildProcess = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        [
          "adapters/cli/stormglass.js",
          "serve",
          "--id",
          "n1",
          "--port",
          String(port),
          "--migrate",
          "--directory",
          directory
        ],
        { cwd: root, env: { ...process.env, DATABASE_URL: url }, stdio: ["ignore", "inherit", "inherit"] }
      )
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  yield* Effect.promise(ready)
  const keys = (round: string) => (nth: number) => `${round}-${nth}`
  yield* Effect.promise(() => load(keys("warm")))
  const fresh = yield* Effect.promise(() => load(keys("new")))
  const replayed = yield* Effect.promise(() => load(keys("new")))
  node.kill("SIGTERM")
  return { concurrency, requests, fresh, replayed }
})

const measured = await Effect.runPromise(Effect.scoped(program))
process.stdout.write(`${JSON.stringify(measured, null, 2)}\n`)
process.exit(0)
