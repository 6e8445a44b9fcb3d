/**
 * What a transaction changed, row by row, as its invariants see it: triggers say each change in a notice, in the stream of
 * answers and in order, so that nothing has to be asked.
 *
 * - R1 The net change of every row, in order of first touch, with the row's columns as the port has them.
 */
import type { RowChange } from "../../core/facts/Envelope.ts"
import type { Column, Table } from "../../core/ports/Table.ts"
import { fieldsOf } from "../../adapters/pglite/Backend.ts"
import type { Frame } from "../../adapters/pglite/Frames.ts"
import { literal, name } from "../../adapters/postgres/Sql.ts"
import type { StoredRow } from "../storage/Evaluate.ts"

/** The code of the notices. */
const rowCode = "SGR01"

/** The statements that make a table say its changes. */
export const triggersOf = (table: Table<unknown>): ReadonlyArray<string> => {
  const trigger = name(`stormglass_row_${table.name}`)
  return [
    `create function ${trigger}() returns trigger language plpgsql as $body$ begin
  raise notice using errcode = '${rowCode}', message = ${literal("text", table.name)}, detail = jsonb_build_array(
    case tg_op when 'INSERT' then null else ${valuesOf(table, "old")} end,
    case tg_op when 'DELETE' then null else ${valuesOf(table, "new")} end)::text;
  return null;
end $body$`,
    `create trigger ${trigger} after insert or update or delete on ${name(table.name)} for each row execute function ${trigger}()`
  ]
}

export const isRowNotice = (frame: Frame): boolean => frame.type === "N" && fieldsOf(frame)["C"] === rowCode

/** The changes of one transaction as they come. */
export class Changes {
  readonly #tables: ReadonlyMap<string, Table<unknown>>
  readonly #changes = new Map<string, RowChange>()

  constructor(tables: ReadonlyMap<string, Table<unknown>>) {
    this.#tables = tables
  }

  /** Takes what a notice says. */
  add(notice: Frame): void {
    const { D: detail = "[null, null]", M: said = "" } = fieldsOf(notice)
    const table = this.#tables.get(said)
    if (table === undefined) throw new Error(`a change of ${said}, which is no table`)
    const [before, after] = (JSON.parse(detail) as ReadonlyArray<ReadonlyArray<unknown> | null>).map((values) =>
      values === null ? null : rowOf(table, values)
    ) as [StoredRow | null, StoredRow | null]
    // A row that changes its key is one that went and one that came.
    if (before !== null && after !== null && keyOf(table, before) === keyOf(table, after)) {
      this.#note(table, keyOf(table, after), before, after)
    } else {
      if (before !== null) this.#note(table, keyOf(table, before), before, null)
      if (after !== null) this.#note(table, keyOf(table, after), null, after)
    }
  }

  /** What is left of it all. */
  get net(): ReadonlyArray<RowChange> {
    return [...this.#changes.values()].filter(({ after, before }) => before !== null || after !== null)
  }

  #note(table: Table<unknown>, key: string, before: StoredRow | null, after: StoredRow | null): void {
    const row = `${table.name}/${key}`
    this.#changes.set(row, { table: table.name, key, before: (this.#changes.get(row) ?? { before }).before, after })
  }
}

const columnsOf = (table: Table<unknown>): ReadonlyArray<[string, Column<unknown>]> =>
  Object.entries(table.columns as Readonly<Record<string, Column<unknown>>>)

function valuesOf(table: Table<unknown>, record: "old" | "new"): string {
  const values = columnsOf(table).map(([column, { kind }]) => {
    const value = `${record}.${name(column)}`
    return kind === "timestamp" ? `(extract(epoch from ${value}) * 1000000)::bigint` : value
  })
  return `jsonb_build_array(${values.join(", ")})`
}

function rowOf(table: Table<unknown>, values: ReadonlyArray<unknown>): StoredRow {
  return Object.fromEntries(columnsOf(table).map(([column], index) => [column, values[index]])) as StoredRow
}

function keyOf({ primaryKey }: Table<unknown>, row: StoredRow): string {
  return primaryKey.map((column) => String(row[column])).join("/")
}
