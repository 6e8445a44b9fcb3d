import * as PgConnection from "@effect/sql-pg/PgConnection"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { createInterface } from "node:readline"
import { announce, chooseDatabase } from "./chooseDatabase.ts"
import * as DataDirectory from "./DataDirectory.ts"
import * as EmbeddedDatabase from "./EmbeddedDatabase.ts"
import { majorVersion } from "./Pglite.ts"

const fixture = path.join(import.meta.dirname, "Writer.fixture.ts")

/** A directory of one's own, and everything beside it, gone with the scope. */
const place = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-pglite-"))),
    (parent) => Effect.sync(() => fs.rmSync(parent, { recursive: true, force: true }))
  ),
  (parent) => path.join(parent, "data")
)

/** Another process that has the directory open and writes one row after another; says each that is committed. */
const writer = (directory: string) =>
  Effect.acquireRelease(
    Effect.promise(
      () =>
        new Promise<{ readonly child: ChildProcess; readonly said: ReadonlyArray<number> }>((resolve, reject) => {
          const child = spawn(process.execPath, [fixture, directory], { stdio: ["ignore", "pipe", "inherit"] })
          const said: Array<number> = []
          createInterface({ input: child.stdout }).on("line", (line) => {
            said.push(Number(line))
            if (said.length === 20) resolve({ child, said })
          })
          child.on("exit", () => reject(new Error("the writer ended")))
        })
    ),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

const ended = (child: ChildProcess) => Effect.promise(() => new Promise((resolve) => child.once("exit", resolve)))

const query = (directory: string, text: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { connection } = yield* EmbeddedDatabase.make({ directory })
      const session = yield* PgConnection.make(connection)
      return yield* session.queryValues(text)
    })
  )

const refusal = (directory: string) =>
  Effect.map(Effect.flip(Effect.scoped(DataDirectory.acquire(directory))), ({ message }) => message)

/** Every file below, with what is in it. */
const pictureOf = (directory: string): ReadonlyArray<string> =>
  fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => `${file} ${fs.readFileSync(file, "hex")}`)
    .toSorted()

describe("an embedded database in a directory", () => {
  it.live(
    "keeps what was committed when its process is killed, and is locked while that lives",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        const { child, said } = yield* writer(directory)
        assert.strictEqual(
          yield* refusal(directory),
          `${directory}: process ${child.pid} has it open: end that one, or name another directory`
        )
        const gone = ended(child)
        child.kill("SIGKILL")
        yield* gone
        const [[count, maximum, version] = []] = yield* query(
          directory,
          "select count(*)::int, max(id), current_setting('server_version_num')::int / 10000 from written"
        )
        assert.isAtLeast(count as number, said.length, "no committed row is lost")
        assert.strictEqual(count, maximum, "and none is half there")
        assert.strictEqual(version, majorVersion)
        assert.deepStrictEqual(fs.readdirSync(path.dirname(directory)), ["data"], "the lock is gone with its owner")
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "is not left half made and unlocked when whoever makes it is interrupted",
    () =>
      Effect.gen(function* () {
        const directory = yield* place
        const making = yield* Effect.forkChild(Effect.scoped(EmbeddedDatabase.make({ directory })))
        yield* Effect.repeat(
          Effect.sync(() => fs.existsSync(`${directory}.new`)),
          { until: (isBegun) => isBegun, schedule: Schedule.spaced(5), times: 6_000 }
        )
        yield* Fiber.interrupt(making)
        assert.deepStrictEqual(fs.readdirSync(path.dirname(directory)), ["data"], "neither a draft nor a lock")
      }).pipe(Effect.scoped),
    120_000
  )
})

describe("the directory of a database", () => {
  const acquire = (directory: string) => Effect.scoped(DataDirectory.acquire(directory))
  const lockWith = (directory: string, owner: string) => fs.writeFileSync(`${directory}.lock`, owner)

  it.effect("is new when it is missing or empty", () =>
    Effect.gen(function* () {
      const directory = yield* place
      assert.strictEqual(yield* acquire(directory), "nothing yet")
      fs.mkdirSync(directory)
      assert.strictEqual(yield* acquire(directory), "nothing yet")
    }).pipe(Effect.scoped)
  )

  it.effect("is refused when its data are of another major version, and not touched", () =>
    Effect.gen(function* () {
      const directory = yield* place
      fs.mkdirSync(directory)
      fs.writeFileSync(path.join(directory, "PG_VERSION"), "16\n")
      const before = pictureOf(path.dirname(directory))
      assert.strictEqual(
        yield* refusal(directory),
        `${directory}: its data are of Postgres 16, and this is 18: dump them with 16, or name another directory`
      )
      assert.deepStrictEqual(pictureOf(path.dirname(directory)), before)
    }).pipe(Effect.scoped)
  )

  it.effect("is refused when it holds something else, or is a file, and not touched", () =>
    Effect.gen(function* () {
      const directory = yield* place
      fs.mkdirSync(directory)
      const file = path.join(directory, "thesis.txt")
      fs.writeFileSync(file, "years of work")
      const before = pictureOf(path.dirname(directory))
      assert.match(yield* refusal(directory), /: it holds something else than a database: name another directory/)
      assert.match(yield* refusal(file), /: it is not a directory$/)
      assert.deepStrictEqual(pictureOf(path.dirname(directory)), before)
    }).pipe(Effect.scoped)
  )

  it.effect("whose owner is dead is taken over", () =>
    Effect.gen(function* () {
      const directory = yield* place
      const { pid } = spawnSync(process.execPath, ["--version"])
      lockWith(directory, JSON.stringify({ pid, began: "1" }))
      assert.strictEqual(yield* acquire(directory), "nothing yet")
      lockWith(directory, '{"pid":')
      assert.strictEqual(yield* acquire(directory), "nothing yet")
    }).pipe(Effect.scoped)
  )

  it.effect("is taken over from a dead owner whose process id lives again as another's", () =>
    Effect.gen(function* () {
      const directory = yield* place
      lockWith(directory, JSON.stringify({ pid: process.pid, began: "long ago" }))
      assert.strictEqual(yield* acquire(directory), "nothing yet")
    }).pipe(Effect.scoped)
  )

  it.effect("is not opened twice in one process either", () =>
    Effect.gen(function* () {
      const directory = yield* place
      yield* DataDirectory.acquire(directory)
      assert.match(yield* refusal(directory), new RegExp(`process ${process.pid} has it open`))
    }).pipe(Effect.scoped)
  )
})

describe("which database", () => {
  it("is the server that DATABASE_URL names, whose password is not said", () => {
    const choice = chooseDatabase({ DATABASE_URL: "postgres://me:secret@db/app" }, "./data")
    assert.deepStrictEqual(choice, { _tag: "Server", url: Redacted.make("postgres://me:secret@db/app") })
    assert.strictEqual(announce(choice), "database: the server that DATABASE_URL names")
  })

  it("is the embedded one where there is no DATABASE_URL, said in one line", () => {
    for (const environment of [{}, { DATABASE_URL: "" }, { DATABASE_URL: " " }]) {
      const choice = chooseDatabase(environment, "./data")
      assert.deepStrictEqual(choice, { _tag: "Embedded", directory: "./data" })
      assert.strictEqual(
        announce(choice),
        "database: embedded (PGlite) in ./data, for this process alone; set DATABASE_URL to use a server"
      )
    }
  })
})
