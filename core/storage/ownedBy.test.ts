/** Whose a row is: by a name, or by what stands before the first "/" of another. */
import { assert, describe, it } from "@effect/vitest"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import { boolean, integer, make, nullable, text } from "../ports/Table.ts"
import { ownedBy } from "./ownedBy.ts"

const columns = { id: text }
const named = make("named", { columns, primaryKey: ["id"], tenant: "id" })
const paths = make("paths", { columns, primaryKey: ["id"], tenant: { prefixOf: "id" } })
const nobodys = make("nobodys", { columns, primaryKey: ["id"] })
const ids = ["a", "a-b/1", "a/", "a/1", "a/\u{10FFFF}", "a0", "a0/1", "ab", "ab/1", "b", "b/1"]

const owned = (table: typeof named, project: string) => {
  const database = new StillDatabase(table)
  const rows = database.ask(
    database.calls.insert(
      table,
      ids.map((id) => ({ id }))
    )
  )
  assert.lengthOf(rows, ids.length)
  return database
    .ask(database.calls.select(table, { where: () => ownedBy(table, project), orderBy: ["id"] }))
    .map(({ id }) => id)
}

describe("a row is of a project", () => {
  it("that its column names", () => assert.deepStrictEqual(owned(named, "a"), ["a"]))
  it("that its path begins with", () => assert.deepStrictEqual(owned(paths, "a"), ["a/", "a/1", "a/\u{10FFFF}"]))
  it("or of all of them, where its table has no tenants", () => assert.deepStrictEqual(owned(nobodys, "a"), ids))
})

describe("a table of tenants", () => {
  it("has a text for the project in each of its rows", () => {
    for (const project of [nullable(text), integer, boolean]) {
      assert.throws(
        () => make("goods", { columns: { id: text, project }, primaryKey: ["id"], tenant: "project" }),
        "table goods: project names no project, as it is no text or may be null"
      )
    }
  })
})
