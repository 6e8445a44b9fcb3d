/**
 * Follows the change feed for ever: lists, then gives every batch, and lists again whenever the feed says that it must.
 *
 * Hints only shorten the wait: a poll every `feedPollMillis` finds what a lost one would have told. What fails for now is
 * asked again, after pauses that grow to as much.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { feedPollMillis } from "../Limits.ts"
import { type Batch, type Cursor, Feed, type FeedError, type Listing } from "../ports/Feed.ts"
import type { Table } from "../ports/Table.ts"

export interface Follower<E, R> {
  readonly tables: ReadonlyArray<Table<unknown>>
  /** Where an earlier follower ended, so that nothing need be listed. */
  readonly from?: Cursor
  /** Replaces whatever was known: rows that are not in it are gone. */
  readonly onListing: (listing: Listing) => Effect.Effect<void, E, R>
  /** Of all tables, whichever were asked for. Whoever keeps `cursor` after this can go on from there. */
  readonly onBatch: (batch: Batch) => Effect.Effect<void, E, R>
}

/** Ends only as its handlers do, or as it is interrupted. */
export const follow = <E, R>(follower: Follower<E, R>): Effect.Effect<never, E, R | Feed | Scope.Scope> =>
  Effect.gen(function* () {
    const feed = yield* Feed
    const hints = yield* feed.hints
    let cursor = follower.from
    while (true) {
      if (cursor === undefined) {
        const listing = yield* persistently(feed.list(follower.tables))
        if (listing === undefined) continue
        yield* follower.onListing(listing)
        cursor = listing.cursor
      }
      const batch: Batch | undefined = yield* persistently(feed.poll(cursor))
      cursor = batch?.cursor
      if (batch === undefined) continue
      if (batch.changes.length > 0) yield* follower.onBatch(batch)
      else if (batch.isComplete) yield* Effect.race(Queue.take(hints), Effect.sleep(feedPollMillis))
    }
  })

const pauses = Schedule.min([Schedule.exponential("20 millis"), Schedule.spaced(feedPollMillis)])

/** Until it answers; `undefined` when the answer is that what was asked is not to be had. */
export function persistently<A>(asked: Effect.Effect<A, FeedError>): Effect.Effect<A | undefined> {
  return asked.pipe(
    Effect.retry({
      schedule: pauses,
      while: ({ reason }) => reason._tag === "Unavailable" || reason._tag === "Timeout"
    }),
    Effect.catchTag("FeedError", () => Effect.succeed(undefined))
  )
}
