/** Directories of real servers, which PGlite would ruin: refused in one line, and not touched. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import crypto from "node:crypto"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { run, skipped } from "../postgres/Database.fixture.ts"
import { make } from "../postgres/EmbeddedPostgres.ts"
import * as EmbeddedDatabase from "./EmbeddedDatabase.ts"

const refusal = (directory: string) =>
  Effect.map(Effect.flip(Effect.scoped(EmbeddedDatabase.make({ directory }))), ({ message }) => message)

/** Every file below, with what is in it and when it was written. */
const pictureOf = (directory: string): ReadonlyArray<string> =>
  fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => `${file} ${fs.statSync(file).mtimeMs} ${crypto.hash("sha256", fs.readFileSync(file))}`)
    .toSorted()

const stopped = (directory: string) =>
  `${directory}: its data are of a Postgres server, which PGlite cannot open: start that server and name it by DATABASE_URL, or name another directory`

describe.skipIf(skipped({ isControlled: true }))("the directory of a Postgres server", () => {
  it.live(
    "is refused while that runs, was killed, or was stopped in order, and the server goes on with it",
    () =>
      Effect.gen(function* () {
        const server = yield* make()
        const { connection, dataDirectory: directory } = server
        const pid = yield* server.pid
        const file = path.join(directory, "postmaster.pid")
        const own = fs.readFileSync(file, "utf8")
        assert.strictEqual(
          yield* refusal(directory),
          `${directory}: the Postgres server of process ${pid} is running on it: name that server by DATABASE_URL, or name another directory`
        )
        assert.strictEqual(fs.readFileSync(file, "utf8"), own)
        assert.deepStrictEqual(
          fs.readdirSync(path.dirname(directory)).filter((name) => name.startsWith("data.")),
          [],
          "nothing beside it either"
        )
        assert.deepStrictEqual(yield* run(connection, "select 1 as one"), [{ one: 1 }])
        for (const end of [server.kill, Effect.andThen(server.start, server.stop("fast"))]) {
          yield* end
          const before = pictureOf(directory)
          assert.strictEqual(yield* refusal(directory), stopped(directory))
          assert.deepStrictEqual(pictureOf(directory), before)
        }
        yield* server.start
        assert.deepStrictEqual(yield* run(connection, "select 1 as one"), [{ one: 1 }])
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("is refused by its running server, whatever version that is", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-server-"))),
        (parent) => Effect.sync(() => fs.rmSync(parent, { recursive: true, force: true }))
      )
      fs.writeFileSync(path.join(directory, "PG_VERSION"), "16\n")
      const file = path.join(directory, "postmaster.pid")
      fs.writeFileSync(file, `${process.pid}\n${directory}\n`)
      assert.include(yield* refusal(directory), `the Postgres server of process ${process.pid} is running on it`)
      fs.writeFileSync(file, `-42\n${directory}\n`)
      assert.include(yield* refusal(directory), "its data are of Postgres 16, and this is 18")
    }).pipe(Effect.scoped)
  )
})
