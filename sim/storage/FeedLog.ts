/**
 * What the change feed of the simulated database gives: its commits, one after the other. Pure; it keeps nothing before the
 * first cursor is given out, so that runs without a feed pay nothing.
 *
 * The order is that of the commits, which is more than the port promises: nobody may rely on it.
 */
import type { RowChange } from "../../core/facts/Envelope.ts"
import type { Change } from "../../core/ports/Feed.ts"
import type { Table } from "../../core/ports/Table.ts"
import { rowKeyOf } from "../../core/ports/rowKeyOf.ts"
import type { Commit } from "./Engine.ts"

/** Answers what a cursor has not seen, or why it cannot go on. */
export type Polled =
  | {
      readonly _tag: "Batch"
      readonly changes: ReadonlyArray<Change>
      readonly cursor: string
      readonly isComplete: boolean
    }
  | { readonly _tag: "Compacted" }
  | { readonly _tag: "Foreign"; readonly detail: string }

export class FeedLog {
  readonly #primaryKeys: ReadonlyMap<string, ReadonlyArray<string>>
  /** Each cursor holds for one of them; a failover begins another. */
  #history = 1
  #isKept = false
  /** How many changes were forgotten, oldest first. */
  #floor = 0
  #changes: Array<Change> = []

  constructor(tables: ReadonlyArray<Table<unknown>>) {
    this.#primaryKeys = new Map(tables.map(({ name, primaryKey }) => [name, primaryKey]))
  }

  /** The cursor of this moment. */
  get cursor(): string {
    this.#isKept = true
    return this.#cursorAt(this.#floor + this.#changes.length)
  }

  add({ atMicros, changes, fences, label, transactionId }: Commit): void {
    if (!this.#isKept) return
    for (const change of changes) {
      for (const { after, before, key, table } of this.#byKey(change)) {
        this.#changes.push({ table, key, before, after, atMicros, fences, label, transactionId })
      }
    }
  }

  poll(cursor: string, changesMax: number): Polled {
    const found = /^(\d{1,15})\/(\d{1,15})$/.exec(cursor)
    if (found === null) return { _tag: "Foreign", detail: "it was not given by this feed" }
    const [history, position] = [Number(found[1]), Number(found[2])]
    const end = this.#floor + this.#changes.length
    if (history !== this.#history || !this.#isKept) return { _tag: "Foreign", detail: "it is of another history" }
    if (position > end) return { _tag: "Foreign", detail: "it has seen transactions that this database has lost" }
    if (position < this.#floor) return { _tag: "Compacted" }
    const changes = this.#changes.slice(position - this.#floor, position - this.#floor + changesMax)
    const next = position + changes.length
    return { _tag: "Batch", changes, cursor: this.#cursorAt(next), isComplete: next === end }
  }

  /** Forgets what was written before this time of the database's clock, up to the first that was not; says how many. */
  compact(beforeMicros: number): number {
    const kept = this.#changes.findIndex(({ atMicros }) => atMicros >= beforeMicros)
    const forgotten = kept === -1 ? this.#changes.length : kept
    this.#changes = this.#changes.slice(forgotten)
    this.#floor += forgotten
    return forgotten
  }

  /** The database goes on from a state that it had before: cursors may have seen what has never been. */
  fork(): void {
    this.#history++
  }

  #cursorAt(position: number): string {
    return `${this.#history}/${position}`
  }

  /** A row that has moved to another key is gone under the one and new under the other. */
  #byKey(change: RowChange): ReadonlyArray<RowChange> {
    const { after, before, table } = change
    if (before === null || after === null) return [change]
    const primaryKey = this.#primaryKeys.get(table)!
    const [from, to] = [rowKeyOf(primaryKey, before), rowKeyOf(primaryKey, after)]
    if (from === to) return [change]
    return [
      { table, key: from, before, after: null },
      { table, key: to, before: null, after }
    ]
  }
}
