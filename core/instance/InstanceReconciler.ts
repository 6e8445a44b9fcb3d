/**
 * Brings one instance to where it should be: performs the steps of `InstancePlan.next` until there is nothing to do now.
 * Takes nothing but the uid; everything else is read again.
 */
import * as Effect from "effect/Effect"
import * as FaultPoint from "../facts/FaultPoint.ts"
import * as Mark from "../facts/Mark.ts"
import * as Event from "../event/Event.ts"
import * as Fleet from "../fleet/Fleet.ts"
import { providerCallTimeoutMillis, reconcileProgressMillis } from "../Limits.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import { type Observed, Provider, ProviderError, UnknownEffect } from "../ports/Provider.ts"
import { Storage } from "../ports/Storage.ts"
import type * as Parking from "../reconcile/Parking.ts"
import { effectUnderGrant } from "../reconcile/effectUnderGrant.ts"
import type { Outcome } from "../reconcile/WorkQueue.ts"
import * as Instance from "./Instance.ts"
import * as instanceEvents from "./instanceEvents.ts"
import * as InstancePlan from "./InstancePlan.ts"

const begins = Mark.sometimes("start of an instance begins later than it was first tried")
const stalePlan = Mark.sometimes("plan made for an older revision changed nothing")
const parks = Mark.sometimes("instance parked after it failed too often")
const removed = Mark.sometimes("row removed after its resource was confirmed gone")

/** Two moves, a stop, two observations and a start, or a wait, at most; more would be a loop. */
const stepsMax = 6

export const reconcile = Effect.fnUntraced(function* (uid: string, grant: Grant, policy: Parking.Policy) {
  const { once, transaction } = yield* Storage
  const provider = yield* Provider

  const read = once((tx) => tx.get(Instance.instances, { uid }), { label: "instance/read" })

  /** Fenced; the fleet is told to look when what happened concerns its number. */
  const move = (
    instance: Instance.Instance,
    to: Instance.State,
    reason: Instance.Reason | null,
    seen: InstancePlan.Seen
  ) => {
    const { fleet } = instance
    const failed =
      reason === null
        ? undefined
        : {
            failures: InstancePlan.failuresWith(instance, grant.databaseMicrosUnsafe()),
            failure: InstancePlan.causeOf(reason, seen)
          }
    const options = { label: `instance/move/${to}`, fences: grant.fences }
    if (!instanceEvents.isTold(instance, to)) {
      return once((tx) => Instance.move(tx, instance, to, reason, failed), options)
    }
    return transaction(
      Effect.fnUntraced(function* (tx) {
        if (fleet !== null && to === "ERROR") yield* Fleet.markDue(tx, [fleet], reconcileProgressMillis)
        const moved = yield* Instance.move(tx, instance, to, reason, failed)
        if (moved !== undefined) yield* Event.record(tx, instanceEvents.moved(instance, moved))
        return moved
      }),
      options
    )
  }

  /** Until then it is not due in the store, so that it fills no batch of what is, unless somebody asks for it. */
  const waited = Effect.fnUntraced(function* (seen: Instance.Instance, afterMillis: number) {
    const isDue = seen.dueAt !== null && seen.dueAt <= grant.databaseMicrosUnsafe()
    if (isDue) {
      const later = yield* once((tx) => Instance.postponeBy(tx, seen, afterMillis), {
        label: "instance/postpone",
        fences: grant.fences
      })
      if (later === undefined) return atOnce
    }
    return { _tag: "Again", afterMillis, isPostponed: true } satisfies Outcome
  })

  let instance = yield* read
  if (instance === undefined) return done
  let seen = InstancePlan.nothingSeen
  for (let steps = 0; steps < stepsMax; steps++) {
    const step = InstancePlan.next(instance, seen, grant.databaseMicrosUnsafe(), policy)
    switch (step._tag) {
      case "Observe": {
        const observed: Observed = yield* provider.observe(uid).pipe(
          Effect.timeoutOrElse({
            duration: `${providerCallTimeoutMillis} millis`,
            orElse: () => Effect.fail(new ProviderError({ call: "observe", reason: new UnknownEffect() }))
          })
        )
        seen = { ...seen, ...observed }
        break
      }
      case "Begin": {
        const waiting: Instance.Instance = instance
        const begun: Instance.Instance | undefined = yield* once((tx) => Instance.begin(tx, waiting), {
          label: "instance/begin",
          fences: grant.fences
        })
        yield* Mark.hit(begins)
        if (begun === undefined) return atOnce
        instance = begun
        seen = { ...seen, isBegun: true }
        break
      }
      case "Start":
        yield* effectUnderGrant(provider.start(uid, instance.spec), { effect: "start", uid, grant })
        return yield* waited(instance, reconcileProgressMillis)
      case "Stop":
        yield* effectUnderGrant(provider.stop(uid), { effect: "stop", uid, grant })
        seen = { ...seen, observation: undefined, isStopAsked: true }
        break
      case "Move": {
        yield* FaultPoint.here("instance/move")
        const moved: Instance.Instance | undefined = yield* move(instance, step.to, step.reason, seen)
        if (moved === undefined) {
          yield* Mark.hit(stalePlan)
          return again
        }
        instance = moved
        if (moved.state === "ERROR") yield* Effect.logWarning(`instance ${uid}: ${moved.reason}, ${moved.failure}`)
        seen = InstancePlan.nothingSeen
        if (step.to === "RUNNING") return done
        break
      }
      case "Remove": {
        const read = instance
        yield* FaultPoint.here("instance/remove")
        const gone = yield* once((tx) => Instance.remove(tx, read), { label: "instance/remove", fences: grant.fences })
        yield* Mark.hit(removed, gone !== undefined)
        return gone === undefined ? again : done
      }
      case "Wait":
        return yield* waited(instance, step.afterMillis)
      case "Later": {
        const read = instance
        if (read.dueAt !== step.atMicros) {
          yield* once((tx) => Instance.postpone(tx, read, step.atMicros), {
            label: "instance/postpone",
            fences: grant.fences
          })
        }
        return done
      }
      case "Forget": {
        const read = instance
        yield* once((tx) => Instance.forgetFailures(tx, read), { label: "instance/forget", fences: grant.fences })
        return done
      }
      case "Park": {
        const read = instance
        yield* FaultPoint.here("instance/park")
        const kept = yield* transaction(
          Effect.fnUntraced(function* (tx) {
            const parked = yield* Instance.park(tx, read)
            if (parked !== undefined) yield* Event.record(tx, [instanceEvents.parked(parked)])
            return parked
          }),
          { label: "instance/park", fences: grant.fences }
        )
        yield* Mark.hit(parks, kept !== undefined)
        return kept === undefined ? again : done
      }
      case "Settle": {
        const read = instance
        if (read.dueAt !== null) {
          yield* once((tx) => Instance.settle(tx, read), { label: "instance/settle", fences: grant.fences })
        }
        return done
      }
    }
  }
  return again
})

const done: Outcome = { _tag: "Done" }
const again: Outcome = { _tag: "Again", afterMillis: reconcileProgressMillis }
/** It is another than was read. */
const atOnce: Outcome = { _tag: "Again", afterMillis: 0 }
