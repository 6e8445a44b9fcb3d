/**
 * What a transaction changed, row by row, as the invariants see it: what the production change feed recorded of it.
 *
 * - R1 The net change of every row, in order of first touch, with the row's columns as the port has them.
 */
import type { RowChange } from "../../core/facts/Envelope.ts"
import { type Reader, changesOf } from "../../adapters/postgres/Feed.ts"
import { changesTable } from "../../adapters/postgres/FeedSchema.ts"

/** A row of `recorded`: position, table, before, after. */
type Row = ReadonlyArray<string | null>

/** What the feed says besides, and the wire has said better. */
const unasked = { position: null, xid: "0", atMicros: 0, label: null, fences: null }

/** What the feed recorded after this position, in order. */
export const recorded = (position: number): string =>
  `select position, "table", before, after from ${changesTable} where position > ${position} order by position`

export const positionOf = ([position]: Row): number => Number(position)

export const netOf = (rows: ReadonlyArray<Row>, readers: ReadonlyMap<string, Reader>): ReadonlyArray<RowChange> => {
  const net = new Map<string, RowChange>()
  for (const [, name, before, after] of rows) {
    const entry = { before: rowOf(before), after: rowOf(after), ...unasked, table: String(name) }
    for (const { table, key, ...change } of changesOf(entry, readers.get(name as string))) {
      const row = `${table}/${key}`
      net.set(row, { table, key, before: (net.get(row) ?? change).before, after: change.after })
    }
  }
  return [...net.values()].filter(({ after, before }) => before !== null || after !== null)
}

function rowOf(json: string | null | undefined): Readonly<Record<string, unknown>> | null {
  return json === null || json === undefined ? null : (JSON.parse(json) as Readonly<Record<string, unknown>>)
}
