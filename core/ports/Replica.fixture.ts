/** What a reader of the change feed knows of the tables, checking with every change that it follows from what it knew. */
import assert from "node:assert"
import type { Change, Listing } from "./Feed.ts"
import type { Table } from "./Table.ts"
import { rowKeyOf } from "./rowKeyOf.ts"

type StoredRow = Readonly<Record<string, unknown>>

export class Replica {
  readonly rows = new Map<string, StoredRow>()
  changes = 0

  list({ rows }: Listing, tables: ReadonlyArray<Table<unknown>>): void {
    this.rows.clear()
    for (const { row, table } of rows) {
      const { primaryKey } = tables.find(({ name }) => name === table)!
      this.rows.set(`${table} ${rowKeyOf(primaryKey, row)}`, row)
    }
  }

  /** Throws when a change does not begin where the one before of its row ended: one is missing, doubled or too early. */
  apply(changes: ReadonlyArray<Change>): void {
    for (const { after, before, key, table } of changes) {
      const name = `${table} ${key}`
      assert.deepStrictEqual(before, this.rows.get(name) ?? null, `${name} was another row than the change says`)
      if (after === null) this.rows.delete(name)
      else this.rows.set(name, after)
      this.changes++
    }
  }

  get sorted(): ReadonlyArray<readonly [string, StoredRow]> {
    return Array.from(this.rows).toSorted(([a], [b]) => (a < b ? -1 : 1))
  }
}
