/** A server that starts anywhere, is killed at will, and never outlives its test. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { execFileSync, spawn, spawnSync } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { database, run, skipped } from "./Database.fixture.ts"
import { type EmbeddedPostgres, make } from "./EmbeddedPostgres.ts"

const root = path.join(import.meta.dirname, "..", "..")

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Polls, for what another process does in its own time. */
const until = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: (holds) => holds }),
    Effect.timeout("20 seconds"),
    Effect.orDie
  )

const pidOf = (server: EmbeddedPostgres) => Effect.map(server.pid, (pid) => pid ?? assert.fail("the server is down"))

describe.skipIf(skipped({ isControlled: true }))("an embedded server", () => {
  it.live("answers, keeps what was committed through kill -9, and is gone with its scope", () =>
    Effect.gen(function* () {
      let directory = ""
      let last = 0
      yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* make({ settings: { work_mem: "5MB" } })
          directory = path.dirname(server.dataDirectory)
          const first = yield* pidOf(server)
          yield* run(server.connection, "create table kept (id int)", "insert into kept values (1)")
          yield* server.kill
          assert.isFalse(isAlive(first))
          assert.strictEqual(yield* server.pid, undefined)
          yield* server.start
          last = yield* pidOf(server)
          assert.notStrictEqual(last, first)
          assert.deepStrictEqual(yield* run(server.connection, "select id from kept"), [{ id: 1 }])
          assert.deepStrictEqual(yield* run(server.connection, "show work_mem"), [{ work_mem: "5MB" }])
          assert.isNotEmpty(yield* server.children)
          yield* server.stop("fast")
          yield* server.start
          last = yield* pidOf(server)
          assert.deepStrictEqual(yield* run(server.connection, "select id from kept"), [{ id: 1 }])
        })
      )
      assert.isFalse(isAlive(last))
      assert.isFalse(fs.existsSync(directory))
    })
  )

  it.live("says in one line what the server said when it does not start", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(Effect.scoped(make({ settings: { shared_buffers: "nonsense" } })))
      assert.match(failure.message, /^embedded Postgres: the server ended while starting: .*shared_buffers.*$/)
    })
  )

  it.live("is ended when it is not ready in time, though it has not yet said its process id", () =>
    Effect.gen(function* () {
      let directory = ""
      const prepare = (data: string) =>
        Effect.sync(() => {
          directory = path.dirname(data)
          fs.rmSync(path.join(data, "postgresql.auto.conf"))
          // Whoever reads it waits for a writer.
          execFileSync("mkfifo", [path.join(data, "postgresql.auto.conf")])
        })
      const failure = yield* Effect.flip(Effect.scoped(make({ prepare, readyTimeoutMillis: 300 })))
      assert.strictEqual(failure.message, "embedded Postgres: not ready after 300 ms")
      assert.isFalse(fs.existsSync(directory))
      const { stdout } = spawnSync("ps", ["-A", "-o", "args="], { encoding: "utf8" })
      const left = stdout.split("\n").filter((line) => line.includes(path.join(directory, "data")))
      assert.deepStrictEqual(left, [])
    })
  )

  /** When it is killed; `data` is the server's directory. */
  const moments: Readonly<Record<string, (data: string) => boolean>> = {
    "while its directory is made": (data) => fs.existsSync(data) && !fs.existsSync(`${data}/ready`),
    "while it runs": (data) => fs.existsSync(`${data}/ready`),
    "between a stop and a start": (data) => fs.existsSync(`${data}/stopped`)
  }
  for (const [moment, isThen] of Object.entries(moments)) {
    it.live(`ends when the process that started it is killed with SIGKILL, and leaves no directory: ${moment}`, () =>
      Effect.gen(function* () {
        const program = `
        import fs from "node:fs"
        import * as Effect from "effect/Effect"
        import { make } from "./adapters/postgres/EmbeddedPostgres.ts"
        await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
          setInterval(() => undefined, 1_000)
          const server = yield* make()
          fs.writeFileSync(server.dataDirectory + "/ready", String(yield* server.pid))
          if (${moment.startsWith("between")}) {
            yield* server.stop("fast")
            fs.writeFileSync(server.dataDirectory + "/stopped", "")
          }
          yield* Effect.never
        })))`
        const place = yield* Effect.acquireRelease(
          Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-test-"))),
          (place) => Effect.sync(() => fs.rmSync(place, { recursive: true, force: true }))
        )
        // The server's user passes through.
        fs.chmodSync(place, 0o711)
        const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
          cwd: root,
          env: { ...process.env, TMPDIR: place },
          stdio: ["ignore", "ignore", "inherit"]
        })
        const dataOf = (name: string) => path.join(place, name, "data")
        const found = () => fs.readdirSync(place).find((name) => isThen(dataOf(name)))
        yield* until(() => found() !== undefined)
        const ready = path.join(dataOf(found()!), "ready")
        const pid = moment === "while it runs" ? Number(fs.readFileSync(ready, "utf8")) : undefined
        child.kill("SIGKILL")
        yield* until(() => fs.readdirSync(place).length === 0 && (pid === undefined || !isAlive(pid)))
      }).pipe(Effect.scoped)
    )
  }
})

describe.skipIf(skipped())("a database of one's own", () => {
  it.live("is empty, and UTF-8", () =>
    Effect.gen(function* () {
      const connection = yield* database
      const counted = yield* run(connection, "select count(*)::int from pg_tables where schemaname = 'public'")
      assert.deepStrictEqual(counted, [{ count: 0 }])
      assert.deepStrictEqual(yield* run(connection, "show server_encoding"), [{ server_encoding: "UTF8" }])
    })
  )
})
