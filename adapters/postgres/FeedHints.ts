/**
 * Hints for the readers of the change feed: a notification soon after a transaction of this process has committed a write,
 * sent apart from it and for many at once, so that no writer waits for it. Lost with its session, and not repeated.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { feedHintMillis } from "../../core/Limits.ts"
import { Storage, type Transaction } from "../../core/ports/Storage.ts"
import { channel } from "./Feed.ts"

/** A hint that takes longer than a poll is none. */
const notifyMillisMax = 5_000

/** The storage below, telling readers of what it has written. */
export const layer: Layer.Layer<Storage, never, Storage | PgClient.PgClient> = Layer.effect(
  Storage,
  Effect.gen(function* () {
    const storage = yield* Storage
    const client = yield* PgClient.PgClient
    const told = yield* Queue.sliding<void>(1)
    // Whatever becomes of one hint, a server that falls silent included, the next one is sent.
    const notify = client
      .notify(channel, "")
      .pipe(
        Effect.timeout(notifyMillisMax),
        Effect.sandbox,
        Effect.ignore({ log: "Debug", message: "a hint of the change feed was not sent" })
      )
    // What was written last, a lease that was released among it, is told of before this ends.
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Queue.size(told), (waiting) => (waiting > 0 ? notify : Effect.void))
    )
    const next = Effect.andThen(Queue.take(told), notify)
    yield* Effect.forkScoped(Effect.forever(Effect.andThen(next, Effect.sleep(feedHintMillis))))
    const tell = Effect.asVoid(Queue.offer(told, undefined))
    return {
      transaction: (body, options) => {
        const written = { isAny: false }
        const after = Effect.suspend(() => (written.isAny ? tell : Effect.void))
        return Effect.tap(
          storage.transaction((transaction) => body(noting(transaction, written)), options),
          after
        )
      },
      once: (call, options) => {
        const written = { isAny: false }
        const after = Effect.suspend(() => (written.isAny ? tell : Effect.void))
        return Effect.tap(
          storage.once((transaction) => call(noting(transaction, written)), options),
          after
        )
      }
    }
  })
)

/** The same calls, and whether one of them wrote. */
function noting(transaction: Transaction, written: { isAny: boolean }): Transaction {
  const note = <A>(effect: A): A => {
    written.isAny = true
    return effect
  }
  return {
    ...transaction,
    insert: (table, rows, options) => note(transaction.insert(table, rows, options)),
    update: (table, options) => note(transaction.update(table, options)),
    delete: (table, options) => note(transaction.delete(table, options))
  }
}
