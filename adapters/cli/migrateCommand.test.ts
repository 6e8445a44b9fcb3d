/** The command an operator runs before an upgrade. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { spawnSync } from "node:child_process"
import path from "node:path"
import { database, skipped } from "../postgres/Database.fixture.ts"

const root = path.join(import.meta.dirname, "..", "..")

const stormglass = (url: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(process.execPath, ["adapters/cli/stormglass.js", "migrate", ...args], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, DATABASE_URL: url }
  })
  return { status, said: `${stdout}${stderr}` }
}

describe("migrate", () => {
  it("says what is wrong with DATABASE_URL", () => {
    assert.deepStrictEqual(stormglass(""), {
      status: 2,
      said: "stormglass: DATABASE_URL: not set; postgres://owner:password@host:5432/database\n"
    })
    for (const url of ["db", "http://db/app"]) {
      const { said, status } = stormglass(url)
      assert.strictEqual(status, 2)
      assert.match(said, /^stormglass: DATABASE_URL: not a URL such as postgres:.*\n$/)
    }
  })

  it("says in one line that nobody listens, without the password", () => {
    const { said, status } = stormglass("postgres://me:secret@127.0.0.1:1/app", "--check")
    assert.strictEqual(status, 2)
    assert.match(said, /^stormglass: database app on 127\.0\.0\.1:1 as me: no connection: .*ECONNREFUSED.*\n$/)
    assert.notInclude(said, "secret")
  })

  it.live.skipIf(skipped())("migrates once, then has nothing to do", () =>
    Effect.gen(function* () {
      const { database: name, host, password, port, username } = yield* database
      const url = `postgres://${username}:${Redacted.value(password) as string}@${host}:${port}/${name}`
      assert.match(stormglass(url, "--check").said, /it has no schema; run `stormglass migrate` as its owner\n$/)
      assert.deepStrictEqual(stormglass(url), { status: 0, said: "the schema went from version 0 to 1\n" })
      assert.deepStrictEqual(stormglass(url), { status: 0, said: "the schema is version 1: nothing to do\n" })
      assert.deepStrictEqual(stormglass(url, "--check"), { status: 0, said: "the schema is what this program needs\n" })
    }).pipe(Effect.scoped)
  )
})
