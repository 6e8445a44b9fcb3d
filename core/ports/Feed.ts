/**
 * The change feed of the database: what has been committed since a cursor, row by row.
 *
 * - F1 For every row the last change that the feed gave is what the table holds, once it has given everything: the changes of
 *   one row come in the order in which they were committed, also where an older transaction wrote after a younger one.
 * - F2 Gap-free: from one cursor to the next every change that was committed is given once, and none that was not.
 * - F3 Whole: where a batch is complete, so is every transaction in it; and whatever wrote a row before them was given
 *   before or with them. Between transactions that share no row the order is the implementation's.
 * - F4 Polling is the truth. A hint only says that it may be worth looking; hints may be lost.
 * - F5 Compactable: who comes with a cursor older than what is kept is told `Compacted`, and lists again.
 *
 * A cursor is opaque, and as durable as the database: it holds across the ends of sessions, of the client and of the server.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { RowChange } from "../facts/Envelope.ts"
import type { Fence } from "./Storage.ts"
import { Timeout, Unavailable } from "./Storage.ts"
import type { Table } from "./Table.ts"
import type { Topic } from "./Topic.ts"

/** What the cursor has not seen is no longer kept: list again. */
export class Compacted extends Schema.TaggedError<Compacted>()("Compacted", {}) {
  override get message() {
    return "the cursor is older than the changes that are kept: list again"
  }
}

/** The cursor is of another database, of another history of this one, or no cursor at all: list again. */
export class ForeignCursor extends Schema.TaggedError<ForeignCursor>()("ForeignCursor", { detail: Schema.String }) {
  override get message() {
    return `the cursor does not belong to this database: ${this.detail}`
  }
}

/** The one error of the port. Whatever failed has changed nothing and may be asked again. */
export class FeedError extends Schema.TaggedError<FeedError>()("FeedError", {
  reason: Schema.Union([Compacted, ForeignCursor, Timeout, Unavailable])
}) {
  override get message() {
    return `change feed: ${this.reason.message}`
  }
}

export type Cursor = string

/** `before` is null for a row that was inserted, `after` for one that was deleted; never both, and both have the same key. */
export interface Change extends RowChange {
  /** Of the transaction that made it; not in the order of commits. */
  readonly transactionId: number
  /** As its writer named the transaction, up to 200 characters, with `_` for what is not of `A-Za-z0-9_./: -`; empty where it did not. */
  readonly label: string
  /** Under which the transaction was fenced. */
  readonly fences: ReadonlyArray<Fence>
  /** When the row was written, by the database's clock: microseconds since 1970. */
  readonly atMicros: number
}

export interface Batch {
  readonly changes: ReadonlyArray<Change>
  /** Where to go on. It differs from the one before also when there was nothing new: keep the newest. */
  readonly cursor: Cursor
  /** False: there is more at once, and the last transactions may not be whole yet. */
  readonly isComplete: boolean
}

/** Rows as they were at one moment, and the cursor of that moment. */
export interface Listing {
  readonly rows: ReadonlyArray<{ readonly table: string; readonly row: Readonly<Record<string, unknown>> }>
  readonly cursor: Cursor
}

export type Hints = Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope>

export class Feed extends Context.Service<
  Feed,
  {
    /** Everything that these tables hold. What is committed afterwards, the cursor gives. */
    readonly list: (tables: ReadonlyArray<Table<unknown>>) => Effect.Effect<Listing, FeedError>
    /** Never waits for anything to happen: what is new may be nothing. At most `changesMax`, by default `feedChangesMax`. */
    readonly poll: (cursor: Cursor, options?: { readonly changesMax?: number }) => Effect.Effect<Batch, FeedError>
    /** Holds at most one hint, and gets one whenever any may have been lost. */
    readonly hints: Hints
    /** The same, only of commits that are about it, and of those of which nobody has said what they are about. */
    readonly hintsOf: (topic: Topic) => Hints
    /** Forgets changes older than this by the database's clock; returns how many. Never one of a transaction under way. */
    readonly compact: (options: { readonly olderThanMillis: number }) => Effect.Effect<number, FeedError>
  }
>()("stormglass/core/ports/Feed") {}
