/**
 * Makes the number of live instances of a fleet what is desired, in one transaction under the fence of its bucket and the lock
 * of its row: two owners who overlap, or one who does it twice, cannot overshoot, because the second one counts what the first one
 * left.
 */
import * as Effect from "effect/Effect"
import * as Event from "../event/Event.ts"
import * as FaultPoint from "../facts/FaultPoint.ts"
import * as Mark from "../facts/Mark.ts"
import * as Instance from "../instance/Instance.ts"
import { makeUid } from "../instance/makeUid.ts"
import { reconcileProgressMillis } from "../Limits.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import { and, eq, isNull } from "../ports/Condition.ts"
import { Storage } from "../ports/Storage.ts"
import * as Parking from "../reconcile/Parking.ts"
import type { Outcome } from "../reconcile/WorkQueue.ts"
import { retryTransient } from "../storage/retryTransient.ts"
import * as Fleet from "./Fleet.ts"
import * as fleetEvents from "./fleetEvents.ts"
import * as FleetPlan from "./FleetPlan.ts"

const replaces = Mark.sometimes("failed instance of a fleet replaced")
const shrinks = Mark.sometimes("fleet scaled down")
const holds = Mark.sometimes("fleet that is paused left as it is, with another count than desired")
const ends = Mark.sometimes("fleet removed after the last of its instances")

export const reconcile = Effect.fnUntraced(function* (id: string, grant: Grant, policy: Parking.Policy) {
  const { transaction } = yield* Storage
  return yield* retryTransient(
    transaction(
      Effect.fnUntraced(function* (tx) {
        const fleet = yield* tx.get(Fleet.fleets, { id }, { lock: "for update" })
        if (fleet === undefined) return done
        if (Fleet.isParked(fleet)) {
          if (fleet.dueAt !== null) yield* Fleet.settleParked(tx, fleet)
          return done
        }
        const live = yield* tx.select(Instance.instances, {
          where: (row) => and(eq(row.fleet, id), isNull(row.deletionRequestedAt))
        })
        // What is wanted anew deserves a new try.
        const isNew = fleet.scaledGeneration !== fleet.generation
        const plan = FleetPlan.planOf(fleet, live, (member) => !isNew && Parking.isExhausted(member, policy))
        yield* FaultPoint.here("fleet/scale/planned")
        yield* Mark.hit(replaces, plan.create.length > 0 && plan.remove.length > 0)
        yield* Mark.hit(shrinks, plan.remove.length > 0 && live.length > fleet.desired)
        const gone = plan.remove.length > 0 ? yield* Instance.requestDeletion(tx, plan.remove) : []
        let created: ReadonlyArray<Instance.Instance> = []
        if (plan.create.length > 0) {
          const failed = new Map(
            live.filter(({ state }) => state === "ERROR").map((member) => [member.ordinal, member])
          )
          /** In the place of one that failed it begins after a pause, and its failures count on. */
          const inherited = (ordinal: number) => {
            const { failure = null, failures = null } = failed.get(ordinal) ?? {}
            if (failures === null || failure === null) return {}
            return { inherited: { failures, failure, pauseMillis: Parking.restartMillis(failures, policy) } }
          }
          const wanted = yield* Effect.forEach(plan.create, (ordinal) => {
            const name = `${fleet.name}-${ordinal}`
            return Effect.map(makeUid(name), (uid) => ({
              uid,
              project: fleet.project,
              name,
              fleet: id,
              ordinal,
              spec: fleet.spec,
              ...(isNew ? {} : inherited(ordinal))
            }))
          })
          created = yield* Instance.create(tx, wanted)
        }
        yield* Event.record(tx, fleetEvents.scaled(fleet, { live, gone, created }))
        if (FleetPlan.isHeld(fleet)) {
          yield* Mark.hit(holds, live.length !== fleet.desired)
          if (fleet.dueAt !== null || fleet.failures !== null) yield* Fleet.setLooked(tx, fleet)
          return done
        }
        const isEnding = fleet.deletionRequestedAt !== null
        const isScaled = fleet.scaledGeneration === fleet.generation && fleet.dueAt === null
        const isMatched = plan.remove.length === 0 && plan.create.length === 0
        if (!isMatched || !isScaled || fleet.failures !== null) yield* Fleet.setScaled(tx, fleet)
        if (!isEnding) return done
        const left = yield* tx.select(Instance.instances, { where: (row) => eq(row.fleet, id), limit: 1 })
        if (left.length > 0) return again
        yield* FaultPoint.here("fleet/remove")
        yield* Fleet.remove(tx, fleet)
        yield* Event.record(tx, [fleetEvents.removed(fleet)])
        yield* Mark.hit(ends)
        return done
      }),
      { label: "fleet/scale", fences: grant.fences }
    )
  )
})

const done: Outcome = { _tag: "Done" }
/** Its instances are on their way out. */
const again: Outcome = { _tag: "Again", afterMillis: reconcileProgressMillis, isPostponed: true }
