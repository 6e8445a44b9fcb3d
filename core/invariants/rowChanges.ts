/** The row changes of one table in a fact of the store, typed by the table. */
import type { Committed, Envelope } from "../facts/Envelope.ts"
import type { Table } from "../ports/Table.ts"

export interface TypedChange<R> {
  readonly key: string
  readonly before: R | null
  readonly after: R | null
}

/** The commit in the envelope; nothing when it tells something else. */
export const commitOf = ({ fact }: Envelope): Committed | undefined =>
  fact._tag === "Committed" ? (fact as Committed) : undefined

/** Empty for any other fact, and for commits that left the table alone. */
export const rowChanges = <R>(envelope: Envelope, table: Table<R>): ReadonlyArray<TypedChange<R>> => {
  const commit = commitOf(envelope)
  if (commit === undefined || !commit.changes.some((change) => change.table === table.name)) return none
  return commit.changes.filter((change) => change.table === table.name) as unknown as ReadonlyArray<TypedChange<R>>
}

const none: ReadonlyArray<never> = []
