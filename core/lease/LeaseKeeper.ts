/**
 * Keeps the leases of one node: competes for those that are wanted, renews all that are held with one statement, and
 * sees to it that work under a lease has ended before another node may have it.
 *
 * - K1 Work starts after its lease was acquired and is interrupted at R, or as soon as the lease is known to be lost.
 * - K2 Work whose finalizers are stuck does not outlive T: the watch, which is no part of the work, ends the node.
 * - K3 A lease is released only after its work has ended, and only if it is still ours.
 *
 * Absent on purpose: what the leases are for, and any permission that is a boolean. Work gets a `Grant` with its fence.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { assert } from "../assert.ts"
import { monotonicMicros, monotonicMicrosUnsafe } from "../clock/monotonicMicros.ts"
import * as FaultPoint from "../facts/FaultPoint.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import { leaseHintMillis } from "../Limits.ts"
import * as Metrics from "../Metrics.ts"
import { essential } from "../node/essential.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import type { Fence, Storage, StorageError } from "../ports/Storage.ts"
import * as Lease from "./Lease.ts"
import { leaseStorage } from "./LeaseStorage.ts"
import type { ActingAs, LeasesAsked, LeasesTold, StoppedActing } from "./LeaseFacts.ts"

const lostWhileRenewing = Mark.sometimes("lease given up while a renewal is in flight")
const lostToAnother = Mark.sometimes("lease found lost by its renewal")
const acquiredTooLate = Mark.sometimes("lease acquired, but its answer came after the deadline")
const overran = Mark.sometimes("work outlived its lease and took its node down")

/** Permission to act under a lease. It is the fence that makes it safe; the remaining time only makes it polite. */
export interface Grant {
  readonly lease: string
  readonly epoch: number
  readonly fences: ReadonlyArray<Fence>
  /** Until the work must give up, on the monotonic clock; not positive when that moment has passed. */
  readonly remainingMicrosUnsafe: () => number
  /** The database's time, as the last renewal told it and the monotonic clock has gone on since: for coarse patience only. */
  readonly databaseMicrosUnsafe: () => number
}

export interface LeaseKeeperOptions {
  /** Names this incarnation of the node; no other process ever has the same. */
  readonly holder: string
  readonly profile: Lease.LeaseProfile
  /** Says that something was committed, perhaps a release: worth a look at once. May be lost, and may say it of anything. Default: none. */
  readonly hints?: Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope> | undefined
}

export class LeaseKeeper extends Context.Service<
  LeaseKeeper,
  {
    readonly holder: string
    readonly profile: Lease.LeaseProfile
    /**
     * Competes for `lease` for as long as it runs, and runs `body` whenever the lease is held: again and again, each time
     * with a new epoch. When interrupted it lets the body end, then releases the lease.
     */
    readonly whileHeld: <R>(
      lease: string,
      body: (grant: Grant) => Effect.Effect<void, never, R>
    ) => Effect.Effect<never, never, R>
  }
>()("stormglass/core/lease/LeaseKeeper") {}

interface Held {
  readonly fence: Fence
  /** When its last good renewal (or its acquisition) was sent, on the monotonic clock. */
  sentAtMicros: number
  /** The database's time of that moment. */
  renewedAtMicros: number
  readonly lost: Deferred.Deferred<void>
}

/** Dies when the profile is unsound. The scope ends all of it. */
export const make = Effect.fnUntraced(function* (options: LeaseKeeperOptions) {
  const { holder, profile } = options
  const problems = Lease.problems(profile)
  assert(problems.length === 0, `lease profile: ${problems.join("; ")}`)

  const { once } = yield* leaseStorage
  const node = yield* NodeExit
  const clock = yield* Clock.Clock
  const tell = yield* Facts.Facts
  const scope = yield* Effect.scope
  const attemptTimeout = `${Lease.attemptTimeoutMillis(profile)} millis` as const

  const candidates = new Map<string, Deferred.Deferred<Held>>()
  const held = new Map<string, Held>()
  const someCandidate = Latch.makeUnsafe(false)
  const someHeld = Latch.makeUnsafe(false)
  let isRenewing = false
  /** Why the last renewal was not answered; undefined when it was. */
  let unanswered: string | undefined
  let asks = 0

  /** Says what is asked of the store, and what it answers. */
  const said = <A>(
    what: LeasesAsked["what"],
    leases: ReadonlyArray<Fence>,
    statement: Effect.Effect<ReadonlyArray<A>, StorageError>,
    fenceOf: (granted: A) => Fence
  ) =>
    Effect.suspend(() => {
      const ask = ++asks
      const durationMicros = profile.durationMillis * 1_000
      const asked: LeasesAsked = { _tag: "LeasesAsked", ask, what, holder, durationMicros, leases }
      tell(asked)
      const told = (granted: LeasesTold["granted"]): LeasesTold => ({ _tag: "LeasesTold", ask, granted })
      return statement.pipe(
        Effect.tap((granted) =>
          Effect.sync(() =>
            tell(told(what !== "acquire" && granted.length === leases.length ? "all" : granted.map(fenceOf)))
          )
        ),
        Effect.tapError(({ reason }) =>
          reason._tag === "UnknownOutcome" ? Effect.void : Effect.sync(() => tell(told(null)))
        )
      )
    })

  /**
   * Says for how long the node may act, at the most, under leases that were all acquired or renewed at once. In one piece: a
   * lease that was given up meanwhile must not be claimed again, nor any for longer than it lasts.
   */
  const actingAs = (leases: ReadonlyArray<Held>) =>
    Effect.sync(() => {
      const still = leases.filter((lease) => held.get(lease.fence.lease) === lease)
      const sentAtMicros = Math.min(...still.map((lease) => lease.sentAtMicros))
      const remainingMicros = Lease.stopByMicros(profile, sentAtMicros) - monotonicMicrosUnsafe(clock)
      if (still.length === 0 || remainingMicros <= 0) return
      const fact: ActingAs = { _tag: "ActingAs", holder, remainingMicros, grants: still.map(({ fence }) => fence) }
      tell(fact)
    })

  /** In a fiber of its own, because those who release are being interrupted, and bounded, because they wait for it. */
  const release = (fence: Fence) =>
    said("release", [fence], Lease.release(once, { fence, holder }), () => fence).pipe(
      Effect.timeoutOption(attemptTimeout),
      Effect.catchTag("StorageError", (error) => Effect.logDebug(`${fence.lease}: not released`, error.message)),
      Effect.forkIn(scope),
      Effect.flatMap(Fiber.await)
    )

  /** For whoever looks after the node: once for each lease, all that are lost together in one line. */
  const sayLost = (fences: ReadonlyArray<Fence>, why: string) =>
    fences.length === 0
      ? Effect.void
      : Effect.logWarning(`lost ${fences.map(({ epoch, lease }) => `${lease} of epoch ${epoch}`).join(", ")}: ${why}`)

  /** What is said to be released is asked for at once, without the look. */
  const acquire = Effect.fnUntraced(function* (isReleased: boolean) {
    const sentAtMicros = yield* monotonicMicros
    const taken = isReleased ? [] : yield* Lease.lookTaken(once, { keys: [...candidates.keys()], holder })
    const keys = [...candidates.keys()].filter((key) => !taken.some((row) => row.key === key))
    if (keys.length === 0) return
    yield* FaultPoint.here("lease/acquire/looked")
    const wanted = keys.map((lease) => ({ lease, epoch: 0 }))
    const won = yield* said("acquire", wanted, Lease.acquire(once, { keys, holder, profile }), ({ fence }) => fence)
    yield* FaultPoint.here("lease/acquire/won")
    // From here on in one piece: an attempt that ran out of time between the two would hold a lease that nobody works under.
    yield* Effect.uninterruptible(begin(won, sentAtMicros))
  })

  const begin = Effect.fnUntraced(function* (won: ReadonlyArray<Lease.Kept>, sentAtMicros: number) {
    const nowMicros = yield* monotonicMicros
    const starting: Array<[Deferred.Deferred<Held>, Held]> = []
    for (const { fence, renewedAtMicros } of won) {
      const candidate = candidates.get(fence.lease)
      const isTooLate = Lease.standing(profile, sentAtMicros, nowMicros)._tag !== "Act"
      if (candidate === undefined || isTooLate) {
        yield* Mark.hit(acquiredTooLate, isTooLate)
        yield* Effect.forkIn(release(fence), scope)
        continue
      }
      candidates.delete(fence.lease)
      const lease: Held = { fence, sentAtMicros, renewedAtMicros, lost: Deferred.makeUnsafe() }
      held.set(fence.lease, lease)
      starting.push([candidate, lease])
    }
    if (candidates.size === 0) someCandidate.closeUnsafe()
    if (starting.length === 0) return
    someHeld.openUnsafe()
    yield* Metrics.increment(Metrics.leaseAcquisitions, starting.length)
    yield* Metric.update(Metrics.leasesHeld, held.size)
    yield* actingAs(starting.map(([, lease]) => lease))
    for (const [candidate, lease] of starting) yield* Deferred.succeed(candidate, lease)
  })

  const renew = Effect.gen(function* () {
    const leases = [...held.values()]
    const sentAtMicros = yield* monotonicMicros
    yield* FaultPoint.here("lease/renew/sent")
    const fences = leases.map((lease) => lease.fence)
    const renewed = yield* said(
      "renew",
      fences,
      Lease.renew(once, { held: fences, holder, profile }),
      (kept) => kept.fence
    )
    yield* FaultPoint.here("lease/renew/answered")
    yield* Metric.update(Metrics.leaseRenewalSeconds, ((yield* monotonicMicros) - sentAtMicros) / 1_000_000)
    const stillHeld: Array<Held> = []
    const lost: Array<Fence> = []
    for (const lease of leases) {
      if (held.get(lease.fence.lease) !== lease) continue
      const kept = renewed.find(({ fence }) => fence.lease === lease.fence.lease)
      if (kept !== undefined) {
        lease.sentAtMicros = sentAtMicros
        lease.renewedAtMicros = kept.renewedAtMicros
        stillHeld.push(lease)
      } else {
        yield* Mark.hit(lostToAnother)
        yield* Metrics.increment(Metrics.leaseRenewals.lost)
        if (!Deferred.isDoneUnsafe(lease.lost)) lost.push(lease.fence)
        if (yield* Deferred.succeed(lease.lost, undefined)) yield* Metrics.increment(Metrics.leasesLost.another)
      }
    }
    yield* sayLost(lost, "another has taken it over since")
    if (stillHeld.length > 0) {
      yield* actingAs(stillHeld)
      yield* Metrics.increment(Metrics.leaseRenewals.kept, stillHeld.length)
    }
  })

  const pause = Effect.flatMap(Random.next, (fraction) =>
    Effect.sleep(profile.retryPeriodMillis * (1 + Lease.retryJitterRatio * fraction))
  )

  /** Why the attempt was not answered; undefined when it was. */
  const attempt = (what: ReturnType<typeof acquire> | typeof renew) =>
    what.pipe(
      Effect.timeoutOption(attemptTimeout),
      Effect.map((answer) => (answer._tag === "Some" ? undefined : `no answer within ${attemptTimeout}`)),
      Effect.catchTag("StorageError", ({ message }) => Effect.as(Effect.logDebug(message), message))
    )

  const hints = options.hints === undefined ? undefined : yield* options.hints
  const paused = Effect.as(pause, false)
  /** True when it is hinted at a release. However busy the store is, it is not asked more often than that. */
  const untilHinted =
    hints === undefined
      ? paused
      : Effect.race(paused, Effect.sleep(leaseHintMillis).pipe(Effect.andThen(Queue.take(hints)), Effect.as(true)))
  const compete = Effect.gen(function* () {
    let isReleased = false
    while (true) {
      yield* someCandidate.await
      yield* attempt(acquire(isReleased))
      isReleased = yield* untilHinted
    }
  })

  const keep = Effect.gen(function* () {
    yield* someHeld.await
    yield* Effect.sleep(Lease.renewIntervalMillis(profile))
    while (held.size > 0) {
      isRenewing = true
      unanswered = yield* attempt(renew)
      isRenewing = false
      if (unanswered === undefined) return
      yield* Metrics.increment(Metrics.leaseRenewalsUnanswered)
      yield* pause
    }
  }).pipe(Effect.forever)

  /** Sleeps to the next deadline of any lease; a lease acquired meanwhile has a later one. */
  const watch = Effect.gen(function* () {
    yield* someHeld.await
    const nowMicros = yield* monotonicMicros
    let nextMicros = nowMicros + Lease.actUntilMicros(profile, 0)
    const lost: Array<Fence> = []
    for (const lease of held.values()) {
      const standing = Lease.standing(profile, lease.sentAtMicros, nowMicros)
      switch (standing._tag) {
        case "Act":
          nextMicros = Math.min(nextMicros, standing.untilMicros)
          break
        case "Stop":
          nextMicros = Math.min(nextMicros, standing.byMicros)
          yield* Mark.hit(lostWhileRenewing, isRenewing)
          if (!Deferred.isDoneUnsafe(lease.lost)) lost.push(lease.fence)
          if (yield* Deferred.succeed(lease.lost, undefined)) yield* Metrics.increment(Metrics.leasesLost.deadline)
          break
        case "Overrun":
          yield* Mark.hit(overran)
          yield* Metrics.increment(Metrics.leaseOverruns)
          return yield* node.exit(`work under lease ${lease.fence.lease} outlived it`)
      }
    }
    const why = unanswered === undefined ? "" : `, lastly: ${unanswered}`
    yield* sayLost(lost, `no renewal was answered for ${profile.renewDeadlineMillis} ms${why}`)
    yield* Effect.sleep(Math.max(1, Math.ceil((nextMicros - nowMicros) / 1_000)))
  }).pipe(Effect.forever)

  const standDown = Effect.fnUntraced(function* (lease: Held) {
    yield* FaultPoint.here("lease/standDown")
    yield* Effect.sync(() => {
      held.delete(lease.fence.lease)
      if (held.size === 0) someHeld.closeUnsafe()
      const fact: StoppedActing = { _tag: "StoppedActing", holder, ...lease.fence }
      tell(fact)
    })
    yield* Metric.update(Metrics.leasesHeld, held.size)
    yield* release(lease.fence)
  })

  const campaign = Effect.fnUntraced(function* <R>(
    key: string,
    body: (grant: Grant) => Effect.Effect<void, never, R>,
    restore: <A, E, R2>(effect: Effect.Effect<A, E, R2>) => Effect.Effect<A, E, R2>
  ) {
    assert(!candidates.has(key) && !held.has(key), `lease ${key} is wanted twice`)
    const candidate = Deferred.makeUnsafe<Held>()
    candidates.set(key, candidate)
    someCandidate.openUnsafe()
    const withdraw = Effect.suspend(() => {
      candidates.delete(key)
      const won = held.get(key)
      return won === undefined ? Effect.void : standDown(won)
    })
    const lease = yield* Effect.onInterrupt(restore(Deferred.await(candidate)), () => withdraw)
    const grant: Grant = {
      ...lease.fence,
      fences: [lease.fence],
      remainingMicrosUnsafe: () => Lease.actUntilMicros(profile, lease.sentAtMicros) - monotonicMicrosUnsafe(clock),
      databaseMicrosUnsafe: () => lease.renewedAtMicros + monotonicMicrosUnsafe(clock) - lease.sentAtMicros
    }
    yield* restore(Effect.raceFirst(body(grant), Deferred.await(lease.lost))).pipe(
      Effect.ensuring(Effect.suspend(() => standDown(lease)))
    )
  })

  yield* Effect.forkScoped(essential("lease/compete", compete))
  yield* Effect.forkScoped(essential("lease/renew", keep))
  yield* Effect.forkScoped(essential("lease/watch", watch))

  return LeaseKeeper.of({
    holder,
    profile,
    whileHeld: (key, body) => Effect.forever(Effect.uninterruptibleMask((restore) => campaign(key, body, restore)))
  })
})

export const layer = (options: LeaseKeeperOptions): Layer.Layer<LeaseKeeper, never, Storage | NodeExit> =>
  Layer.effect(LeaseKeeper, make(options))
