/** The leader's look at who has fallen silent, with the brake. Input-free: each round starts from the store. */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Event from "../event/Event.ts"
import * as FaultPoint from "../facts/FaultPoint.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import * as Fleet from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import * as instanceEvents from "../instance/instanceEvents.ts"
import { reconcileProgressMillis } from "../Limits.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import * as Metrics from "../Metrics.ts"
import { Storage } from "../ports/Storage.ts"
import type { BrakeEngaged, BrakeReleased } from "./HeartbeatFacts.ts"
import * as Heartbeat from "./Heartbeat.ts"

const engages = Mark.sometimes("brake engaged: many instances late together")
const givesUp = Mark.sometimes("instance given up for its silence")

/** A round of one leader's term; the returned effect remembers only whether it has told of the brake. */
export const make = (grant: Grant) => {
  let isEngaged = false

  const tellBrake = Effect.fnUntraced(function* (counts: { readonly late: number; readonly running: number }) {
    const isBraked = Heartbeat.isBraked(counts)
    if (isBraked && !isEngaged) {
      yield* Mark.hit(engages)
      yield* Effect.logWarning(`${counts.late} of ${counts.running} instances are late together: nothing is given up`)
      yield* Facts.emit({ _tag: "BrakeEngaged", ...counts } satisfies BrakeEngaged)
    }
    if (!isBraked && isEngaged) yield* Facts.emit({ _tag: "BrakeReleased" } satisfies BrakeReleased)
    isEngaged = isBraked
    yield* Metric.update(Metrics.brakeEngaged, isBraked ? 1 : 0)
    return isBraked
  })

  return Effect.gen(function* () {
    const { once, transaction } = yield* Storage
    const stale = yield* once((tx) => tx.select(instances, { where: Heartbeat.isStale }), { label: "heartbeat/stale" })
    yield* Metric.update(Metrics.staleInstances, stale.length)
    if (stale.length === 0) {
      yield* tellBrake({ late: 0, running: 0 })
      return
    }
    // Sorted, and before their instances: all who touch several lock them in this order.
    const fleets = [...new Set(stale.flatMap(({ fleet }) => (fleet === null ? [] : [fleet])))].toSorted()
    const givenUp = yield* transaction(
      Effect.fnUntraced(function* (tx) {
        const running = yield* tx.count(instances, Heartbeat.isWatched)
        const late = yield* tx.count(instances, Heartbeat.isLate)
        yield* FaultPoint.here("heartbeat/sweep/counted")
        if (yield* tellBrake({ late, running })) return []
        if (fleets.length > 0) yield* Fleet.markDue(tx, fleets, reconcileProgressMillis)
        const uids = stale.map(({ uid }) => uid)
        const given = yield* Heartbeat.giveUp(tx, uids)
        yield* Event.record(tx, given.flatMap(instanceEvents.failed))
        yield* Mark.hit(givesUp, given.length > 0)
        return given
      }),
      { label: "heartbeat/sweep", fences: grant.fences }
    )
    for (const { lastHeartbeatAt, updatedAt } of givenUp) {
      yield* Metric.update(Metrics.staleSeconds, (updatedAt - (lastHeartbeatAt ?? updatedAt)) / 1_000_000)
    }
  })
}
