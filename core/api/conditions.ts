/**
 * Conditions, in the shape that Kubernetes gives them: what a reader wants to know of a fleet or an instance without knowing its states. Pure,
 * from rows; `lastTransitionAt` is what a row stores of that moment.
 *
 * `Ready` is always there. `Stalled`, `Paused` and `Terminating` are there while they hold, as kstatus has it.
 */
import * as Schema from "effect/Schema"
import type { Fleet, FleetStatus } from "../fleet/Fleet.ts"
import { isHeld } from "../fleet/FleetPlan.ts"
import type { Instance } from "../instance/Instance.ts"
import type { Failing } from "../reconcile/Parking.ts"

export const ConditionView = Schema.Struct({
  type: Schema.Literals(["Ready", "Stalled", "Paused", "Terminating"]).annotate({
    description: "What is said: Ready always, the others while they hold"
  }),
  status: Schema.Literals(["True", "False", "Unknown"]).annotate({ description: "Whether it holds" }),
  reason: Schema.String.annotate({ description: "Why, in one word for programs", examples: ["AsManyAsDesired"] }),
  message: Schema.String.annotate({ description: "Why, for people", examples: ["2 to start"] }),
  lastTransitionAt: Schema.Int.annotate({
    description: "Since when its status is what it is, in microseconds since 1970 by the clock of the database"
  })
}).annotate({ identifier: "Condition", description: "What holds of a fleet or an instance, and since when" })
export type ConditionView = typeof ConditionView.Type

export const conditionsOfInstance = (row: Instance): ReadonlyArray<ConditionView> => [
  readyInstance(row),
  ...stalled(row),
  ...terminating(row)
]

/** `status`: of this fleet, not of an earlier one of its name; `why` it is not as it is wanted. */
export const conditionsOfFleet = (
  row: Fleet,
  status: FleetStatus | undefined,
  why: string | undefined
): ReadonlyArray<ConditionView> => [
  readyFleet(row, status, why),
  ...stalled(row),
  ...(row.pausedAt === null || row.deletionRequestedAt !== null
    ? []
    : [holds("Paused", "PausedByRequest", "nothing is created for it or taken away", row.pausedAt)]),
  ...terminating(row)
]

const holds = (
  type: ConditionView["type"],
  reason: string,
  message: string,
  lastTransitionAt: number
): ConditionView => ({ type, status: "True", reason, message, lastTransitionAt })

function readyInstance(row: Instance): ConditionView {
  const { createdAt, failure, readyChangedAt, reason, state, updatedAt } = row
  const isRunning = state === "RUNNING"
  return {
    type: "Ready",
    status: isRunning ? "True" : "False",
    reason: reason !== null && state === "ERROR" ? reason : camelCase(state),
    message: isRunning ? "" : (failure ?? ""),
    // Of a row from before this was stored: when it began to run, which is its last change.
    lastTransitionAt: readyChangedAt ?? (isRunning ? updatedAt : createdAt)
  }
}

function readyFleet(row: Fleet, status: FleetStatus | undefined, why: string | undefined): ConditionView {
  const type = "Ready"
  const ready = status?.ready ?? null
  if (status === undefined || ready === null) {
    return { type, status: "Unknown", reason: "NotCounted", message: "", lastTransitionAt: row.createdAt }
  }
  // What was counted is of an earlier wish.
  if (status.observedGeneration !== row.generation && !isHeld(row) && row.deletionRequestedAt === null) {
    return { type, status: "Unknown", reason: "NotCounted", message: why ?? "", lastTransitionAt: row.updatedAt }
  }
  const lastTransitionAt = status.readyChangedAt ?? row.createdAt
  if (ready === "True") return { type, status: ready, reason: "AsManyAsDesired", message: "", lastTransitionAt }
  const reason =
    row.deletionRequestedAt !== null ? "Terminating" : (status.parked ?? 0) > 0 ? "InstancesStalled" : "TooFewRun"
  return { type, status: ready, reason, message: why ?? "", lastTransitionAt }
}

const stalled = ({ failure, failures, parkedAt }: Failing): ReadonlyArray<ConditionView> =>
  parkedAt === null
    ? []
    : [holds("Stalled", "FailedTooOften", `${failure}; ${failures} failures in a row, not tried any more`, parkedAt)]

const terminating = ({ deletionRequestedAt }: Pick<Instance, "deletionRequestedAt">): ReadonlyArray<ConditionView> =>
  deletionRequestedAt === null ? [] : [holds("Terminating", "DeletionRequested", "", deletionRequestedAt)]

const camelCase = (state: string): string => `${state.charAt(0)}${state.slice(1).toLowerCase()}`
