/**
 * Forgets the changes that the feed has kept for long enough, for ever: at once, and then in rounds. Any number of nodes may
 * do so at the same time, and none must: who comes second finds nothing left.
 *
 * A round that fails is repeated at its next time, and said to whoever reads the log: what is never forgotten fills the disk.
 */
import * as Effect from "effect/Effect"
import { feedForgetIntervalMillis } from "../Limits.ts"
import { Feed } from "../ports/Feed.ts"

/** `keptMillis` by the database's clock. Ends only by interruption. */
export const forget = (keptMillis: number): Effect.Effect<never, never, Feed> =>
  Effect.flatMap(Feed, (feed) =>
    // One statement forgets a bounded number, so that none holds locks for long.
    feed
      .compact({ olderThanMillis: keptMillis })
      .pipe(
        Effect.repeat({ while: (forgotten) => forgotten > 0 }),
        Effect.sandbox,
        Effect.ignore({ log: "Warn", message: "old changes of the feed were not forgotten" }),
        Effect.andThen(Effect.sleep(feedForgetIntervalMillis)),
        Effect.forever
      )
  )
