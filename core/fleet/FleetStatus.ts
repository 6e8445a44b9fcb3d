/**
 * The leader's count of each fleet: the one writer of `fleet_statuses`.
 *
 * A round counts the fleets that may have changed: those with rows touched lately, and those that were not settled when last
 * counted. Now and then it counts all, so that what slipped through (a commit that took long, a clock that jumped) is found. In between, who
 * hears of a change looks at what was touched since the last look.
 *
 * A round may be cut, by its time limit or by a fleet that cannot be counted. The next one goes on behind where it was, and what it did
 * not reach stays to be counted: neither the last of many nor those behind a bad one starve.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Mark from "../facts/Mark.ts"
import { instances, type Instance } from "../instance/Instance.ts"
import { fleetStatusIntervalMillis, fleetStatusRecountMillis } from "../Limits.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import * as Metrics from "../Metrics.ts"
import { and, clockTimestamp, eq, gt, isNotNull, subtract } from "../ports/Condition.ts"
import { Storage, type StorageError } from "../ports/Storage.ts"
import { retryTransient } from "../storage/retryTransient.ts"
import { type Fleet, type FleetStatus, fleetStatuses, fleets } from "./Fleet.ts"
import { isHeld } from "./FleetPlan.ts"

type Counts = Omit<FleetStatus, "updatedAt" | "ready" | "readyChangedAt">

/** Pure: what there is to say about a fleet. */
export const countOf = (
  fleet: Pick<Fleet, "id" | "scaledGeneration">,
  members: ReadonlyArray<Pick<Instance, "state" | "deletionRequestedAt" | "parkedAt">>
): Counts => {
  const live = members.filter((member) => member.deletionRequestedAt === null)
  return {
    id: fleet.id,
    observedGeneration: fleet.scaledGeneration,
    live: live.length,
    running: live.filter((member) => member.state === "RUNNING").length,
    error: live.filter((member) => member.state === "ERROR").length,
    parked: live.filter((member) => member.parkedAt !== null && member.state === "ERROR").length,
    deleting: members.length - live.length
  }
}

type Wanted = Pick<Fleet, "desired" | "generation" | "deletionRequestedAt" | "pausedAt">

/** Nothing more is to be expected until somebody touches the fleet. */
export const isSettled = (fleet: Wanted, counts: Counts): boolean =>
  isHeld(fleet) ||
  (counts.observedGeneration === fleet.generation &&
    counts.live === fleet.desired &&
    counts.running + (counts.parked ?? 0) === fleet.desired &&
    counts.deleting === 0)

/** As many run as are desired, for the last generation that is worked on: a pause is one, too, and is not. */
export const isReady = (fleet: Wanted, counts: Counts): boolean =>
  (isHeld(fleet) || counts.observedGeneration === fleet.generation) &&
  counts.running >= fleet.desired &&
  fleet.deletionRequestedAt === null

export const isSame = (a: Counts, b: Counts): boolean =>
  a.observedGeneration === b.observedGeneration &&
  a.live === b.live &&
  a.running === b.running &&
  a.error === b.error &&
  (a.parked ?? 0) === (b.parked ?? 0) &&
  a.deleting === b.deleting

/** Pure: the order in which to count these, each once, beginning behind `last` and going round. */
export const orderBehind = (ids: Iterable<string>, last: string): ReadonlyArray<string> => {
  const sorted = [...ids].toSorted()
  const next = sorted.findIndex((id) => id > last)
  return next <= 0 ? sorted : [...sorted.slice(next), ...sorted.slice(0, next)]
}

const counters = ["live", "running", "error", "deleting", "parked"] as const

const measure = Effect.fnUntraced(function* (desired: number, counts: Counts) {
  yield* Metric.update(Metrics.instancesOf(counts.id, "desired"), desired)
  for (const counter of counters) yield* Metric.update(Metrics.instancesOf(counts.id, counter), counts[counter] ?? 0)
})

/** What was touched so shortly before the newest change that was seen is looked at again, as it may have been committed after it. */
const fleetStatusOverlapMicros = 500_000

/** Five rounds back: a commit may come so much later than its timestamps. */
const lately = subtract(clockTimestamp, 5 * fleetStatusIntervalMillis * 1_000)

const goesOn = Mark.sometimes("count of fleets goes on behind where its last round was cut")

export interface FleetCount<R> {
  readonly round: Effect.Effect<void, StorageError, R>
  /** Between two rounds. */
  readonly moved: Effect.Effect<void, StorageError, R>
}

/** Of one leader's term. */
export const make = (grant: Grant): FleetCount<Storage> => {
  /** Not settled when last counted, or not counted since somebody touched them. */
  const open = new Set<string>()
  let rounds = 0
  /** Where the last round was, and whether it came to its end. */
  let last = ""
  let isCut = false
  /** Of what was seen, the time of the newest change, by the database's clock; undefined where nothing was. */
  let newestMicros: number | undefined

  const count = (id: string) =>
    Effect.gen(function* () {
      const { transaction } = yield* Storage
      const counted = yield* retryTransient(
        transaction(
          Effect.fnUntraced(function* (tx) {
            const fleet = yield* tx.get(fleets, { id })
            if (fleet === undefined) {
              yield* tx.delete(fleetStatuses, { where: (row) => eq(row.id, id) })
              return undefined
            }
            const counts = countOf(fleet, yield* tx.select(instances, { where: (row) => eq(row.fleet, id) }))
            const found = yield* tx.get(fleetStatuses, { id })
            // That of an earlier fleet of this name says nothing about this one.
            const stored = found === undefined || found.updatedAt < fleet.createdAt ? undefined : found
            const ready = isReady(fleet, counts) ? "True" : "False"
            if (stored === undefined || !isSame(stored, counts) || stored.ready !== ready) {
              const readyChangedAt = stored?.ready === ready ? stored.readyChangedAt : clockTimestamp
              yield* tx.insert(
                fleetStatuses,
                { ...counts, ready, readyChangedAt, updatedAt: clockTimestamp },
                { onConflict: { target: ["id"], action: "update", set: (_, excluded) => excluded } }
              )
            }
            return { desired: fleet.desired, counts, isSettled: isSettled(fleet, counts) }
          }),
          // One snapshot, so that the counters belong to one moment.
          { label: "fleet/status", isolation: "repeatable read", fences: grant.fences }
        )
      )
      if (counted === undefined)
        yield* measure(0, { id, observedGeneration: 0, live: 0, running: 0, error: 0, deleting: 0, parked: 0 })
      else yield* measure(counted.desired, counted.counts)
      if (counted?.isSettled !== false) open.delete(id)
    })

  const note = (rows: ReadonlyArray<{ readonly updatedAt: number }>): void => {
    for (const { updatedAt } of rows) newestMicros = Math.max(newestMicros ?? updatedAt, updatedAt)
  }

  const countOpen = Effect.gen(function* () {
    const ids = orderBehind(open, last)
    yield* Mark.hit(goesOn, isCut && ids.length > 1)
    isCut = true
    for (const id of ids) {
      last = id
      yield* count(id)
    }
    isCut = false
  })

  const moved = Effect.gen(function* () {
    const { once } = yield* Storage
    // What is committed later than others that are newer is found by the next round.
    const since = newestMicros === undefined ? lately : newestMicros - fleetStatusOverlapMicros
    const touched = yield* once((tx) => tx.select(fleets, { where: (row) => gt(row.updatedAt, since) }), {
      label: "fleet/status/touched"
    })
    const members = yield* once(
      (tx) => tx.select(instances, { where: (row) => and(gt(row.updatedAt, since), isNotNull(row.fleet)) }),
      { label: "fleet/status/moved" }
    )
    note(touched)
    note(members)
    for (const { id } of touched) open.add(id)
    for (const { fleet } of members) open.add(fleet!)
    yield* countOpen
  })

  const round = Effect.gen(function* () {
    const { once } = yield* Storage
    const isRecount = rounds++ % Math.ceil(fleetStatusRecountMillis / fleetStatusIntervalMillis) === 0
    const touched = isRecount
      ? yield* once((tx) => tx.select(fleets), { label: "fleet/status/all" })
      : yield* once((tx) => tx.select(fleets, { where: (row) => gt(row.updatedAt, lately) }), {
          label: "fleet/status/touched"
        })
    const members = yield* once(
      (tx) => tx.select(instances, { where: (row) => and(gt(row.updatedAt, lately), isNotNull(row.fleet)) }),
      { label: "fleet/status/moved" }
    )
    newestMicros = undefined
    note(touched)
    note(members)
    for (const { id } of touched) open.add(id)
    if (isRecount) {
      const counted = yield* once((tx) => tx.select(fleetStatuses), { label: "fleet/status/counted" })
      for (const { id } of counted) open.add(id)
    }
    for (const { fleet } of members) open.add(fleet!)
    yield* countOpen
  })

  return { round, moved }
}
