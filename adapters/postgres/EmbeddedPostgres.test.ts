/** A server that starts anywhere, is killed at will, and never outlives its test. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { spawn } from "node:child_process"
import fs from "node:fs"
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

  it.live("ends when the process that started it is killed with SIGKILL, and takes its directory along", () =>
    Effect.gen(function* () {
      const program = `
        import * as Effect from "effect/Effect"
        import { make } from "./adapters/postgres/EmbeddedPostgres.ts"
        await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
          const server = yield* make()
          console.log(JSON.stringify({ pid: yield* server.pid, directory: server.dataDirectory }))
          setInterval(() => undefined, 1_000)
          yield* Effect.never
        })))`
      const child = spawn(process.execPath, ["--input-type=module", "--eval", program], {
        cwd: root,
        stdio: ["ignore", "pipe", "inherit"]
      })
      let said = ""
      child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()))
      yield* until(() => said.includes("\n"))
      const { directory, pid } = JSON.parse(said) as { pid: number; directory: string }
      assert.isTrue(isAlive(pid))
      child.kill("SIGKILL")
      yield* until(() => !isAlive(pid) && !fs.existsSync(path.dirname(directory)))
    })
  )
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
