/**
 * Rate limits that all nodes of a deployment share: the generic cell rate algorithm (ATM Forum TM 4.0, section 4.4.2), one row and one time
 * for each limit, `fullAt`: when its bucket will be full again. Taking n tokens moves it by n intervals, and never further ahead of now than
 * the whole bucket.
 *
 * A node takes a slice at a time and gives from it for `sliceMillis`; what is left then is lost. So in any time t all nodes together admit at
 * most burst + perSecond × (t + sliceMillis) requests, by the database's clock.
 */
import * as Effect from "effect/Effect"
import { rateKeptMillis, rateSliceMillis } from "../Limits.ts"
import { add, and, clockTimestamp, eq, gt, le, subtract } from "../ports/Condition.ts"
import type { Storage, StorageError, TransactionOptions } from "../ports/Storage.ts"
import { make, text, timestamp } from "../ports/Table.ts"

export const rateLimits = make("rate_limits", {
  columns: {
    /** "principal/alice", "project/shop". */
    scope: text,
    fullAt: timestamp
  },
  primaryKey: ["scope"],
  indexes: [["fullAt"]],
  isFed: false
})

/** How many requests at once, and how many a second for ever. */
export interface Limit {
  readonly perSecond: number
  readonly burst: number
}

/** Why a limit is none, or nothing. */
export const problem = ({ burst, perSecond }: Limit): string | undefined =>
  Number.isSafeInteger(perSecond) &&
  Number.isSafeInteger(burst) &&
  perSecond >= 1 &&
  burst >= 1 &&
  perSecond <= 1_000_000
    ? undefined
    : `${perSecond} a second, ${burst} at once: both are whole numbers from 1, and the first is at most 1000000`

/** Microseconds from one token to the next. */
export const intervalMicros = ({ perSecond }: Limit): number => Math.ceil(1_000_000 / perSecond)

/** How many tokens a node takes at a time. */
export const sliceOf = (limit: Limit): number =>
  Math.max(1, Math.min(Math.floor((limit.perSecond * rateSliceMillis) / 4_000), Math.floor(limit.burst / 4)))

/** Pure: what the statements of `take` do to `fullAt`; undefined when there are not so many tokens. */
export const taken = (fullAt: number | undefined, now: number, limit: Limit, tokens: number): number | undefined => {
  const next = Math.max(fullAt ?? now, now) + tokens * intervalMicros(limit)
  return next <= now + limit.burst * intervalMicros(limit) ? next : undefined
}

/** True when the tokens were there. `tokens` is at most the burst. */
export const take = (
  once: Storage["Service"]["once"],
  scope: string,
  limit: Limit,
  tokens: number
): Effect.Effect<boolean, StorageError> => {
  const cost = tokens * intervalMicros(limit)
  // Of a limit that is new, or in use.
  const busy = once(
    (tx) =>
      tx.insert(
        rateLimits,
        { scope, fullAt: add(clockTimestamp, cost) },
        {
          onConflict: {
            target: ["scope"],
            action: "update",
            set: (existing) => ({ fullAt: add(existing.fullAt, cost) }),
            where: (existing) =>
              and(
                gt(existing.fullAt, clockTimestamp),
                le(add(existing.fullAt, cost), add(clockTimestamp, limit.burst * intervalMicros(limit)))
              )
          }
        }
      ),
    { label: "limits/take" }
  )
  // Of one that is full: nothing is saved beyond that.
  const idle = once(
    (tx) =>
      tx.update(rateLimits, {
        where: (row) => and(eq(row.scope, scope), le(row.fullAt, clockTimestamp)),
        set: () => ({ fullAt: add(clockTimestamp, cost) })
      }),
    { label: "limits/begin" }
  )
  return Effect.gen(function* () {
    if ((yield* busy).length > 0) return true
    return (yield* idle).length > 0
  })
}

/** Forgets limits that have been full for long: as good as new. Returns how many. */
export const purge = (
  once: Storage["Service"]["once"],
  fences: NonNullable<TransactionOptions["fences"]>
): Effect.Effect<number, StorageError> =>
  Effect.map(
    once(
      (tx) =>
        tx.delete(rateLimits, { where: (row) => le(row.fullAt, subtract(clockTimestamp, rateKeptMillis * 1_000)) }),
      { label: "limits/purge", fences }
    ),
    (rows) => rows.length
  )

/** A node's share: what it took, and until when it may be given out, on the node's own clock. */
export interface Slice {
  readonly tokens: number
  readonly untilMicros: number
}

export const empty: Slice = { tokens: 0, untilMicros: 0 }

/** Without one token; undefined when there is none that still holds. */
export const give = ({ tokens, untilMicros }: Slice, nowMicros: number): Slice | undefined =>
  tokens >= 1 && nowMicros < untilMicros ? { tokens: tokens - 1, untilMicros } : undefined

/** From when it was asked for, not from when it came: that would be longer than was said. */
export const sliceFrom = (tokens: number, askedAtMicros: number): Slice => ({
  tokens,
  untilMicros: askedAtMicros + rateSliceMillis * 1_000
})
