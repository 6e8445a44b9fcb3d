/**
 * The shards of one runner of `effect/cluster`, as leases: which of them it holds, in which epoch, and until when it may act.
 *
 * - H1 It counts from the *sending* of the last good renewal, on its monotonic clock, and gives up at R. Nobody else is granted a row
 *   before T.
 * - H2 What has been given up stays so: an answer that comes later revives nothing. The shard has to be acquired again, and has
 *   another epoch then, so that whoever relied on the old one is never taken for the new.
 * - H3 An expired row is never renewed, not even where nobody has taken it: work that relied on it was told to stop.
 * Absent on purpose: when to ask, and ending what runs on a shard. `Sharding` of effect/cluster does both.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"
import { monotonicMicros, monotonicMicrosUnsafe } from "../clock/monotonicMicros.ts"
import * as Facts from "../facts/Facts.ts"
import * as Lease from "../lease/Lease.ts"
import type { ActingAs, StoppedActing } from "../lease/LeaseFacts.ts"
import type { Fence, Storage, StorageError } from "../ports/Storage.ts"

/** A lease from when it was acquired until it is released, lost or not. */
export interface Hold {
  readonly fence: Fence
  /** When its acquisition or its last good renewal was sent, on the monotonic clock. */
  sentAtMicros: number
  readonly lost: Deferred.Deferred<void>
  /** Whoever renews it has heard that it is lost. */
  isLossTold: boolean
}

/** A sixth of T is left for what is interrupted to end in, and for the drift of clocks. */
export const profileOf = (durationMillis: number): Lease.LeaseProfile => ({
  durationMillis,
  renewDeadlineMillis: (durationMillis * 5) / 6,
  retryPeriodMillis: durationMillis / 12
})

type Keys = ReadonlyArray<string>

/** All by keys of leases. `holder` is one and the same for all calls. */
export interface ShardLeases {
  readonly find: (key: string) => Hold | undefined
  /** Until the holder gives up; not positive when it has, which is final. */
  readonly remainingMicrosUnsafe: (hold: Hold) => number
  /** Returns those that were won. */
  readonly acquire: (holder: string, keys: Keys) => Effect.Effect<Keys, StorageError>
  /**
   * Returns those that are still held; does `beside` at the same time as it asks the store. Where none is held, or one is newly lost, that is
   * told at once: nothing is asked for, and `beside` is left for the next time.
   */
  readonly renew: (
    holder: string,
    keys: Keys,
    beside: Effect.Effect<void, StorageError>
  ) => Effect.Effect<Keys, StorageError>
  /** After the work has ended. Those that are not held are left out. */
  readonly release: (holder: string, keys: Keys | "all") => Effect.Effect<void, StorageError>
}

/** The scope ends the watch over deadlines. */
export const make = Effect.fnUntraced(function* (
  once: Storage["Service"]["once"],
  profile: Lease.LeaseProfile
): Effect.fn.Return<ShardLeases, never, Scope.Scope> {
  const clock = yield* Clock.Clock
  const tell = yield* Facts.Facts
  const held = new Map<string, Hold>()
  const acquired = Latch.makeUnsafe(false)

  const isLost = ({ lost }: Hold) => Deferred.isDoneUnsafe(lost)
  const lose = ({ lost }: Hold) => Deferred.doneUnsafe(lost, Effect.void)

  const remainingMicrosUnsafe = (hold: Hold) => {
    if (isLost(hold)) return 0
    const remaining = Lease.actUntilMicros(profile, hold.sentAtMicros) - monotonicMicrosUnsafe(clock)
    if (remaining <= 0) lose(hold)
    return remaining
  }

  const stillHeld = (holds: ReadonlyArray<Hold>) => holds.filter((hold) => remainingMicrosUnsafe(hold) > 0)

  const actingAs = (holder: string, sentAtMicros: number, holds: ReadonlyArray<Hold>) => {
    const remainingMicros = Lease.actUntilMicros(profile, sentAtMicros) - monotonicMicrosUnsafe(clock)
    if (holds.length === 0 || remainingMicros <= 0) return
    const fact: ActingAs = { _tag: "ActingAs", holder, remainingMicros, grants: holds.map(({ fence }) => fence) }
    tell(fact)
  }

  const begin = (holder: string, won: ReadonlyArray<Lease.Kept>, sentAtMicros: number): Keys => {
    const begun = won.flatMap(({ fence }): ReadonlyArray<Hold> => {
      const before = held.get(fence.lease)
      // Of two acquisitions the later one may be answered first.
      if (before !== undefined && before.fence.epoch >= fence.epoch) return []
      if (before !== undefined) lose(before)
      return [{ fence, sentAtMicros, lost: Deferred.makeUnsafe(), isLossTold: false }]
    })
    for (const hold of begun) held.set(hold.fence.lease, hold)
    const inTime = stillHeld(begun)
    actingAs(holder, sentAtMicros, inTime)
    acquired.openUnsafe()
    return inTime.map(({ fence }) => fence.lease)
  }

  const acquire = (holder: string, keys: Keys) =>
    Effect.gen(function* () {
      const sentAtMicros = yield* monotonicMicros
      const taken = new Set((yield* Lease.lookTaken(once, { keys, holder })).map(({ key }) => key))
      const free = keys.filter((key) => !taken.has(key))
      if (free.length === 0) return []
      return yield* Effect.map(Lease.acquire(once, { keys: free, holder, profile }), (won) =>
        begin(holder, won, sentAtMicros)
      )
    })

  /** What is told of these, now and once for all. */
  const keptOf = (asked: ReadonlyArray<Hold>): Keys => {
    const kept = stillHeld(asked)
    for (const hold of asked) hold.isLossTold = isLost(hold)
    return kept.map(({ fence }) => fence.lease)
  }

  const renew = (holder: string, keys: Keys, beside: Effect.Effect<void, StorageError>) =>
    Effect.gen(function* () {
      const asked = keys.flatMap((key) => held.get(key) ?? [])
      const open = stillHeld(asked)
      if (open.length === 0 || asked.some((hold) => isLost(hold) && !hold.isLossTold)) return keptOf(asked)
      const sentAtMicros = yield* monotonicMicros
      const fences = open.map(({ fence }) => fence)
      const renewing = Effect.map(Lease.renew(once, { held: fences, holder, profile }), (answered) => {
        const renewed = new Set(answered.map(({ fence }) => fence.lease))
        for (const hold of open) {
          if (!renewed.has(hold.fence.lease)) lose(hold)
          else if (!isLost(hold)) hold.sentAtMicros = sentAtMicros
        }
        actingAs(holder, sentAtMicros, stillHeld(open))
        return keptOf(open)
      })
      return (yield* Effect.all([renewing, beside], { concurrency: 2 }))[0]
    })

  const release = (holder: string, keys: Keys | "all") =>
    Effect.suspend(() => {
      const holds = keys === "all" ? [...held.values()] : keys.flatMap((key) => held.get(key) ?? [])
      if (holds.length === 0) return Effect.void
      for (const hold of holds) {
        lose(hold)
        const fact: StoppedActing = { _tag: "StoppedActing", holder, ...hold.fence }
        tell(fact)
      }
      const fences = holds.map(({ fence }) => fence)
      return Effect.map(Lease.releaseAll(once, { held: fences, holder }), () => {
        for (const hold of holds) if (held.get(hold.fence.lease) === hold) held.delete(hold.fence.lease)
      })
    })

  /** Sleeps to the next deadline; whoever is acquired meanwhile may have an earlier one. */
  const watch = Effect.gen(function* () {
    acquired.closeUnsafe()
    const remaining = [...held.values()].map(remainingMicrosUnsafe).filter((micros) => micros > 0)
    if (remaining.length === 0) return yield* acquired.await
    const nextMillis = Math.max(1, Math.ceil(Math.min(...remaining) / 1_000))
    return yield* Effect.raceFirst(Effect.sleep(nextMillis), acquired.await)
  }).pipe(Effect.forever)
  yield* Effect.forkScoped(watch)

  return { find: (key) => held.get(key), remainingMicrosUnsafe, acquire, renew, release }
})
