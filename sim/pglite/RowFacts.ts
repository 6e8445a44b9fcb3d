/**
 * What a transaction changed, row by row, as the invariants see it: what the production change feed recorded of it, with
 * the label and the fences that it recorded.
 *
 * - R1 The net change of every row, in order of first touch, with the row's columns as the port has them.
 */
import type { Committed, RowChange } from "../../core/facts/Envelope.ts"
import { type Reader, changesOf } from "../../adapters/postgres/Feed.ts"
import { changesTable } from "../../adapters/postgres/FeedSchema.ts"

/** A row of `recorded`: position, table, before, after, label, fences. */
type Row = ReadonlyArray<string | null>

/** What the feed says besides: transactions are numbered anew in each run. */
const unasked = { xid: "0", atMicros: 0 }

/** What the feed recorded after this position, in order. */
export const recorded = (position: number): string =>
  `select position, "table", before, after, label, fences from ${changesTable} where position > ${position} order by position`

export const positionOf = ([position]: Row): number => Number(position)

/** Undefined when nothing is different after all. */
export const netOf = (
  rows: ReadonlyArray<Row>,
  readers: ReadonlyMap<string, Reader>
): Pick<Committed, "label" | "fences" | "changes"> | undefined => {
  const net = new Map<string, RowChange>()
  let of: Pick<Committed, "label" | "fences"> = { label: "", fences: [] }
  for (const [, name, before, after, label = null, fences = null] of rows) {
    const entry = { before: rowOf(before), after: rowOf(after), ...unasked, label, fences, table: String(name) }
    for (const { after, before, fences, key, label, table } of changesOf(entry, readers.get(name as string))) {
      of = { label, fences }
      const row = `${table}/${key}`
      net.set(row, { table, key, before: (net.get(row) ?? { before }).before, after })
    }
  }
  const changes = [...net.values()].filter(({ after, before }) => before !== null || after !== null)
  return changes.length === 0 ? undefined : { ...of, changes }
}

function rowOf(json: string | null | undefined): Readonly<Record<string, unknown>> | null {
  return json === null || json === undefined ? null : (JSON.parse(json) as Readonly<Record<string, unknown>>)
}
