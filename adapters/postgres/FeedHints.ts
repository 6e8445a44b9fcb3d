/**
 * Hints for the readers of the change feed: a notification soon after a transaction of this process has committed a write,
 * sent apart from it and for many at once, so that no writer waits for it. It says what these are about, as far as their statements
 * show it. Lost with its session, and not repeated.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { feedHintMillis } from "../../core/Limits.ts"
import { clockTimestamp } from "../../core/ports/Condition.ts"
import { Storage, type Transaction } from "../../core/ports/Storage.ts"
import { type Topic, topicsOfRemoval, topicsOfWrite } from "../../core/ports/Topic.ts"
import { channel, payloadOf } from "./hintPayload.ts"

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
    const about = new Set<Topic>()
    const notify = Effect.suspend(() => {
      const payload = payloadOf(about)
      about.clear()
      return client.notify(channel, payload)
    }).pipe(
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
    const telling = (written: Written) =>
      Effect.suspend(() => {
        if (!written.isAny) return Effect.void
        for (const topic of written.about) about.add(topic)
        return Effect.asVoid(Queue.offer(told, undefined))
      })
    return {
      transaction: (body, options) => {
        const written: Written = { isAny: false, about: new Set() }
        return Effect.tap(
          storage.transaction((transaction) => body(noting(transaction, written)), options),
          telling(written)
        )
      },
      once: (call, options) => {
        const written: Written = { isAny: false, about: new Set() }
        return Effect.tap(
          storage.once((transaction) => call(noting(transaction, written)), options),
          telling(written)
        )
      }
    }
  })
)

/** Whether a transaction wrote anything, and what that was about. */
interface Written {
  isAny: boolean
  readonly about: Set<Topic>
}

/** The same calls, noted. */
function noting(transaction: Transaction, written: Written): Transaction {
  const note = (topics: ReadonlyArray<Topic>): void => {
    written.isAny = true
    for (const topic of topics) written.about.add(topic)
  }
  return {
    ...transaction,
    insert: (table, values, options) => {
      const rows = (Array.isArray(values) ? values : [values]) as ReadonlyArray<Readonly<Record<string, unknown>>>
      note(topicsOfWrite(table, (column) => rows.some((row) => row[column] === clockTimestamp)))
      return transaction.insert(table, values, options)
    },
    update: (table, options) => {
      const set = options.set(table.row) as Readonly<Record<string, unknown>>
      note(topicsOfWrite(table, (column) => set[column] === clockTimestamp))
      return transaction.update(table, { ...options, set: () => set as never })
    },
    delete: (table, options) => {
      note(topicsOfRemoval(table))
      return transaction.delete(table, options)
    }
  }
}
