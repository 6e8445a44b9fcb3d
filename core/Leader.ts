/**
 * The global work, done by whoever holds the leader's lease: counting fleets, giving up who is silent, purging keys and events,
 * sealing the audit log, counting what is parked, stopping orphans. Work on buckets is not here; it goes on without a leader.
 *
 * Each kind of work is a loop of rounds. A round that fails or is late is repeated at its next time; a defect in one ends the
 * node, because nothing else would notice.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import { monotonicMicros } from "./clock/monotonicMicros.ts"
import { labelled } from "./facts/Label.ts"
import { Traced } from "./facts/Traced.ts"
import * as Audit from "./audit/Audit.ts"
import * as Event from "./event/Event.ts"
import * as FleetStatus from "./fleet/FleetStatus.ts"
import * as HeartbeatSweep from "./heartbeat/HeartbeatSweep.ts"
import * as IdempotencyKey from "./idempotency/IdempotencyKey.ts"
import * as RateLimit from "./identity/RateLimit.ts"
import * as OrphanSweep from "./instance/OrphanSweep.ts"
import {
  auditSealIntervalMillis,
  eventPurgeIntervalMillis,
  fleetStatusHintMillis,
  fleetStatusIntervalMillis,
  heartbeatSweepIntervalMillis,
  idempotencyPurgeIntervalMillis,
  leaderRoundTimeoutMillis,
  orphanSweepIntervalMillis,
  parkedCountIntervalMillis
} from "./Limits.ts"
import type { Grant } from "./lease/LeaseKeeper.ts"
import * as Metrics from "./Metrics.ts"
import type { Hints } from "./ports/Feed.ts"
import type { ProviderError } from "./ports/Provider.ts"
import * as ParkedCount from "./reconcile/ParkedCount.ts"
import { Storage, type StorageError } from "./ports/Storage.ts"

/** The lease of the leader. */
export const lease = "leader"

export interface LeaderOptions {
  /** Says that what is counted of fleets may have changed: worth a count at once. May be lost, and may say it of anything. Default: none. */
  readonly hints?: Hints | undefined
}

export const work = (options: LeaderOptions) => (grant: Grant) =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    const traced = yield* Traced
    const rounds = <A, R>(name: string, everyMillis: number, round: Round<A, R>) =>
      forEver(name, everyMillis, traced(name, {}, round))
    yield* Metric.update(Metrics.leaderEpoch, grant.epoch)
    yield* Effect.all(
      [
        counting(FleetStatus.make(grant), options, (round) => traced("fleet status", {}, round)),
        rounds("heartbeat sweep", heartbeatSweepIntervalMillis, HeartbeatSweep.make(grant)),
        rounds("purge", idempotencyPurgeIntervalMillis, IdempotencyKey.purge(once, grant.fences)),
        rounds("forget limits", idempotencyPurgeIntervalMillis, RateLimit.purge(once, grant.fences)),
        rounds("forget events", eventPurgeIntervalMillis, Event.purge(once, grant.fences)),
        rounds("seal audit", auditSealIntervalMillis, Audit.sweep(grant)),
        rounds("count parked", parkedCountIntervalMillis, ParkedCount.round),
        rounds("orphan sweep", orphanSweepIntervalMillis, OrphanSweep.sweep(grant))
      ],
      { concurrency: "unbounded", discard: true }
    )
  }).pipe(Effect.scoped, Effect.ensuring(Metrics.leadsNoMore))

type Round<A, R> = Effect.Effect<A, StorageError | ProviderError, R>

const forEver = <A, R>(name: string, intervalMillis: number, round: Round<A, R>): Effect.Effect<never, never, R> =>
  bounded(name, round).pipe(Effect.andThen(Effect.sleep(Duration.millis(intervalMillis))), Effect.forever, (loop) =>
    labelled(`leader/${name}`, loop)
  )

const bounded = <A, R>(name: string, round: Round<A, R>): Effect.Effect<void, never, R> =>
  round.pipe(
    Effect.timeoutOption(Duration.millis(leaderRoundTimeoutMillis)),
    Effect.catch((error) => Effect.logDebug(`${name}: ${error.message}`)),
    Effect.asVoid
  )

/** Besides its rounds, a look at what has moved whenever it hears that something has: so often at most that it takes a tenth of the time. */
const counting = Effect.fnUntraced(function* <R>(
  status: FleetStatus.FleetCount<R>,
  { hints }: LeaderOptions,
  traced: (round: Round<void, R>) => Round<void, R>
) {
  const heard = hints === undefined ? undefined : yield* hints
  let nextMicros = 0
  const turn = Effect.gen(function* () {
    const sinceMicros = yield* monotonicMicros
    const isRound = sinceMicros >= nextMicros
    yield* bounded("fleet status", traced(isRound ? status.round : status.moved))
    const nowMicros = yield* monotonicMicros
    if (isRound) nextMicros = nowMicros + fleetStatusIntervalMillis * 1_000
    const rest = Effect.sleep(Math.ceil(Math.max(1, nextMicros - nowMicros) / 1_000))
    if (heard === undefined) return yield* rest
    const pauseMillis = Math.max(fleetStatusHintMillis, (9 * (nowMicros - sinceMicros)) / 1_000)
    yield* Effect.race(rest, Effect.andThen(Effect.sleep(pauseMillis), Queue.take(heard)))
  })
  return yield* labelled("leader/fleet status", Effect.forever(turn))
})
