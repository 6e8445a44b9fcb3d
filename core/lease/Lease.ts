/**
 * Who may act for a key, and until when: the decisions of a lease, and its three statements.
 *
 * - L1 One clock: the row is judged by the database's clock alone; a node judges only how long it may still act, by
 *   its monotonic clock.
 * - L2 A holder counts from the moment its last good renewal was *sent*. The row counts from a moment not earlier, so the
 *   holder has stopped when the row expires.
 * - L3 The epoch rises with every change of holder and every acquisition, and with nothing else: a renewal does not set it, so
 *   that renewals pass the `for key share` locks of fenced transactions.
 * - L4 Only the holder with the current epoch renews or releases.
 *
 * Three moments after the renewal was sent: at R the holder gives up and interrupts its work, at T less the drift
 * bound whatever still runs takes its node down with it, at T another may have the lease.
 * Absent on purpose: loops, retries, waiting. Those are in LeaseKeeper.ts.
 */
import * as Effect from "effect/Effect"
import { clockDriftRatioMax } from "../Limits.ts"
import { type Condition, type Row, add, and, clockTimestamp, eq, gt, isIn, le, ne, or } from "../ports/Condition.ts"
import type { Fence, LeaseRow, Storage, StorageError, Transaction } from "../ports/Storage.ts"
import { leases } from "../ports/Storage.ts"

export interface LeaseProfile {
  /** T: how long a row stays valid without renewal. */
  readonly durationMillis: number
  /** R: how long after its last good renewal was sent a holder keeps its work running. */
  readonly renewDeadlineMillis: number
  /** P: the pause between attempts, of candidates to acquire and of the holder to repeat a failed renewal. */
  readonly retryPeriodMillis: number
}

export const profileDefault: LeaseProfile = {
  durationMillis: 6_000,
  renewDeadlineMillis: 4_000,
  retryPeriodMillis: 500
}

/** The figures of client-go, for databases that stall. */
export const profileConservative: LeaseProfile = {
  durationMillis: 15_000,
  renewDeadlineMillis: 10_000,
  retryPeriodMillis: 2_000
}

/** Attempts are spread over P to 1.2 P. */
export const retryJitterRatio = 0.2

/** Why a profile is refused; empty when it is sound. */
export const problems = (profile: LeaseProfile): ReadonlyArray<string> => {
  const { durationMillis: T, renewDeadlineMillis: R, retryPeriodMillis: P } = profile
  const found: Array<string> = []
  if (P <= 0) found.push(`the retry period must be positive, it is ${P} ms`)
  if (T <= R) found.push(`the duration (${T} ms) must exceed the renew deadline (${R} ms)`)
  else if (stopMillis(profile) <= R) {
    found.push(
      `the duration (${T} ms) less ${clockDriftRatioMax * 100} % drift must exceed the renew deadline (${R} ms)`
    )
  }
  if (R <= (1 + retryJitterRatio) * P)
    found.push(`the renew deadline (${R} ms) must exceed 1.2 retry periods (${P} ms)`)
  if (R <= renewIntervalMillis(profile)) {
    found.push(`the renew deadline (${R} ms) must exceed a third of the duration (${T} ms)`)
  }
  return found
}

/** A holder renews this often: two renewals may fail before the row is in danger. */
export const renewIntervalMillis = (profile: LeaseProfile): number => profile.durationMillis / 3

/** An attempt that has no answer by then is given up; two of them fit between the first renewal due and R. */
export const attemptTimeoutMillis = (profile: LeaseProfile): number =>
  (profile.renewDeadlineMillis - renewIntervalMillis(profile)) / 2

/** On the monotonic clock: until when work may run under a lease whose last good renewal was sent at `sentAtMicros`. */
export const actUntilMicros = (profile: LeaseProfile, sentAtMicros: number): number =>
  sentAtMicros + profile.renewDeadlineMillis * 1_000

/** On the monotonic clock: when even work that refuses to end must be over. */
export const stopByMicros = (profile: LeaseProfile, sentAtMicros: number): number =>
  sentAtMicros + stopMillis(profile) * 1_000

export type Standing =
  | { readonly _tag: "Act"; readonly untilMicros: number }
  /** Give up: interrupt the work, and let it end by `byMicros`. */
  | { readonly _tag: "Stop"; readonly byMicros: number }
  | { readonly _tag: "Overrun" }

/** What a holder owes its lease at `nowMicros` of its monotonic clock. */
export const standing = (profile: LeaseProfile, sentAtMicros: number, nowMicros: number): Standing => {
  const untilMicros = actUntilMicros(profile, sentAtMicros)
  const byMicros = stopByMicros(profile, sentAtMicros)
  if (nowMicros < untilMicros) return { _tag: "Act", untilMicros }
  if (nowMicros < byMicros) return { _tag: "Stop", byMicros }
  return { _tag: "Overrun" }
}

type Once = Storage["Service"]["once"]

/** Which of `keys` somebody else holds now: only a look, without locks, that spares candidates a doomed `acquire`. */
export const lookTaken = (
  once: Once,
  options: { readonly keys: ReadonlyArray<string>; readonly holder: string }
): Effect.Effect<ReadonlyArray<LeaseRow>, StorageError> =>
  once(
    (transaction) =>
      transaction.select(leases, {
        where: (row) =>
          and(isIn(row.key, options.keys), gt(row.expiresAt, clockTimestamp), ne(row.holder, options.holder))
      }),
    { label: "lease/look" }
  )

/** A lease that is ours, and the database's time when it became so or was renewed. */
export interface Kept {
  readonly fence: Fence
  readonly renewedAtMicros: number
}

/**
 * Creates the rows or takes over those that have expired, in one statement and therefore free of races. Returns the leases that were
 * won. A holder that lost the answer to an earlier acquisition may acquire again; its epoch rises.
 */
export const acquire = (
  once: Once,
  options: { readonly keys: ReadonlyArray<string>; readonly holder: string; readonly profile: LeaseProfile }
): Effect.Effect<ReadonlyArray<Kept>, StorageError> => {
  const expiresAt = add(clockTimestamp, options.profile.durationMillis * 1_000)
  const statement = (transaction: Transaction) =>
    transaction.insert(
      leases,
      // Rows are locked in the order of their keys, so that two candidates for several leases never deadlock.
      options.keys.toSorted().map((key) => ({
        key,
        holder: options.holder,
        epoch: 1,
        acquiredAt: clockTimestamp,
        renewedAt: clockTimestamp,
        expiresAt,
        releasedAt: null
      })),
      {
        onConflict: {
          target: ["key"],
          action: "update",
          set: (existing) => ({
            holder: options.holder,
            epoch: add(existing.epoch, 1),
            acquiredAt: clockTimestamp,
            renewedAt: clockTimestamp,
            expiresAt,
            releasedAt: null
          }),
          where: (existing) => or(le(existing.expiresAt, clockTimestamp), eq(existing.holder, options.holder))
        }
      }
    )
  return Effect.map(once(statement, { label: "lease/acquire" }), (rows) => rows.map(kept))
}

/** Extends all the leases named, in one statement; returns those that were still held. */
export const renew = (
  once: Once,
  options: { readonly held: ReadonlyArray<Fence>; readonly holder: string; readonly profile: LeaseProfile }
): Effect.Effect<ReadonlyArray<Kept>, StorageError> => {
  const statement = (transaction: Transaction) =>
    transaction.update(leases, {
      where: (row) => and(eq(row.holder, options.holder), gt(row.expiresAt, clockTimestamp), anyOf(row, options.held)),
      set: () => ({
        renewedAt: clockTimestamp,
        expiresAt: add(clockTimestamp, options.profile.durationMillis * 1_000)
      })
    })
  return Effect.map(once(statement, { label: "lease/renew" }), (rows) => rows.map(kept))
}

/** Lets the lease expire at once, if it is still ours, so that the next holder need not wait. */
export const release = (
  once: Once,
  options: { readonly fence: Fence; readonly holder: string }
): Effect.Effect<ReadonlyArray<LeaseRow>, StorageError> =>
  once(
    (transaction) =>
      transaction.update(leases, {
        where: (row) =>
          and(
            eq(row.key, options.fence.lease),
            eq(row.holder, options.holder),
            eq(row.epoch, options.fence.epoch),
            gt(row.expiresAt, clockTimestamp)
          ),
        set: () => ({ expiresAt: clockTimestamp, releasedAt: clockTimestamp })
      }),
    { label: "lease/release" }
  )

/** The same for all of them, in one statement. */
export const releaseAll = (
  once: Once,
  options: { readonly held: ReadonlyArray<Fence>; readonly holder: string }
): Effect.Effect<ReadonlyArray<LeaseRow>, StorageError> =>
  once(
    (transaction) =>
      transaction.update(leases, {
        where: (row) =>
          and(eq(row.holder, options.holder), gt(row.expiresAt, clockTimestamp), anyOf(row, options.held)),
        set: () => ({ expiresAt: clockTimestamp, releasedAt: clockTimestamp })
      }),
    { label: "lease/release" }
  )

function anyOf(row: Row<LeaseRow>, fences: ReadonlyArray<Fence>): Condition {
  const byEpoch = Map.groupBy(fences, (fence) => fence.epoch)
  const keysOf = (of: ReadonlyArray<Fence>) => of.map(({ lease }) => lease)
  return or(...[...byEpoch].map(([epoch, of]) => and(eq(row.epoch, epoch), isIn(row.key, keysOf(of)))))
}

function stopMillis(profile: LeaseProfile): number {
  return profile.durationMillis * (1 - clockDriftRatioMax)
}

function kept(row: LeaseRow): Kept {
  return { fence: { lease: row.key, epoch: row.epoch }, renewedAtMicros: row.renewedAt }
}
