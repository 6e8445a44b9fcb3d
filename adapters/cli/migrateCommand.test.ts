/** The command an operator runs before an upgrade. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { database, skipped } from "../postgres/Database.fixture.ts"
import { urlOf } from "../postgres/EmbeddedPostgres.ts"
import { migrations } from "../postgres/migrations/all.ts"

const root = path.join(import.meta.dirname, "..", "..")

const stormglass = (url: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["adapters/cli/stormglass.js", "migrate", ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, DATABASE_URL: url }
  })
  return { status, said: `${stdout}${stderr}` }
}

const server = "database: the server that DATABASE_URL names\n"

describe("migrate", () => {
  // covers A29
  it("says what is wrong with DATABASE_URL", () => {
    for (const url of ["db", "http://db/app"]) {
      const { said, status } = stormglass(url)
      assert.strictEqual(status, 2)
      assert.match(said, /^stormglass: DATABASE_URL: not a URL such as postgres:.*\n$/)
    }
  })

  it.live(
    "uses the embedded database where there is none, says which, and leaves it there",
    () =>
      Effect.gen(function* () {
        const parent = yield* Effect.acquireRelease(
          Effect.sync(() => fs.mkdtempSync(path.join(os.tmpdir(), "stormglass-migrate-"))),
          (parent) => Effect.sync(() => fs.rmSync(parent, { recursive: true, force: true }))
        )
        const own = path.join(parent, "data")
        // Where `serve` has it.
        const directory = path.join(own, "database")
        const which = `database: embedded (PGlite) in ${directory}, for this process alone; set DATABASE_URL to use a server\n`
        const migrate = (...args: ReadonlyArray<string>) => stormglass("", "--directory", own, ...args)
        assert.deepStrictEqual(migrate("--check"), {
          status: 2,
          said: `${which}stormglass: ${directory}: there is no database; run \`stormglass migrate\`, or set DATABASE_URL\n`
        })
        assert.deepStrictEqual(migrate("--runtime-role", "app").status, 2)
        assert.deepStrictEqual(fs.readdirSync(parent), [], "nothing is made by who only looks, or is refused")
        assert.deepStrictEqual(migrate(), {
          status: 0,
          said: `${which}the schema went from version 0 to ${migrations.length}\n`
        })
        assert.deepStrictEqual(migrate("--check"), {
          status: 0,
          said: `${which}the schema is what this program needs\n`
        })
        assert.deepStrictEqual(fs.readdirSync(own), ["database"])
        const other = path.join(parent, "other")
        fs.mkdirSync(path.join(other, "database", "something"), { recursive: true })
        const { said, status } = stormglass("", "--directory", other)
        assert.strictEqual(status, 2)
        assert.match(said, /\nstormglass: .*: it holds something else than a database: name another directory[^\n]*\n$/)
      }).pipe(Effect.scoped),
    120_000
  )

  it("refuses a directory beside the server that it would use", () => {
    const { said, status } = stormglass("postgres://me@127.0.0.1:1/app", "--directory", "data")
    assert.strictEqual(status, 2)
    assert.match(said, /^stormglass: --directory: DATABASE_URL names a server; unset it[^\n]*\n$/)
  })

  it("says in one line that nobody listens, without the password", () => {
    const { said, status } = stormglass("postgres://me:secret@127.0.0.1:1/app", "--check")
    assert.strictEqual(status, 2)
    assert.match(
      said.slice(server.length),
      /^stormglass: database app on 127\.0\.0\.1:1 as me: no connection: .*ECONNREFUSED.*\n$/
    )
    assert.notInclude(said, "secret")
  })

  it.live.skipIf(skipped())("migrates once, then has nothing to do", () =>
    Effect.gen(function* () {
      const url = urlOf(yield* database)
      assert.match(stormglass(url, "--check").said, /it has no schema; run `stormglass migrate` as its owner\n$/)
      assert.deepStrictEqual(stormglass(url), {
        status: 0,
        said: `${server}the schema went from version 0 to ${migrations.length}\n`
      })
      assert.deepStrictEqual(stormglass(url), {
        status: 0,
        said: `${server}the schema is version ${migrations.length}: nothing to do\n`
      })
      assert.deepStrictEqual(stormglass(url, "--check"), {
        status: 0,
        said: `${server}warning: the role postgres is a superuser, for whom row security does not hold: the database does not keep projects apart by itself; run as a role of \`migrate --runtime-role\`\nthe schema is what this program needs\n`
      })
    }).pipe(Effect.scoped)
  )
})
