/**
 * What to do next for one instance, from its row and what was seen outside: a pure step. The shell performs it and asks
 * again, so that between any two steps the process may die and the next one starts from the row.
 *
 * The intent is always stored before the effect: a row is CREATING before the provider hears of its uid, and DELETING before
 * it is told to stop. A resource is asked to stop before its absence is believed, because a provider that lags shows
 * one that is being started as absent.
 */
import { startTimeoutMillis } from "../Limits.ts"
import type { Observation } from "../ports/Provider.ts"
import type { Instance, Reason, State } from "./Instance.ts"

/** What is known of the outside, gathered in this very reconcile. */
export interface Seen {
  readonly observation: Observation | undefined
  /** The provider has taken a `stop` before the observation. */
  readonly isStopAsked: boolean
}

export const nothingSeen: Seen = { observation: undefined, isStopAsked: false }

export type Step =
  | { readonly _tag: "Observe" }
  | { readonly _tag: "Start" }
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Move"; readonly to: State; readonly reason: Reason | null }
  /** The row leaves. */
  | { readonly _tag: "Remove" }
  /** Under way outside; look again soon. */
  | { readonly _tag: "Wait" }
  /** All is as it should be. */
  | { readonly _tag: "Settle" }

const observe: Step = { _tag: "Observe" }
const start: Step = { _tag: "Start" }
const stop: Step = { _tag: "Stop" }
const remove: Step = { _tag: "Remove" }
const wait: Step = { _tag: "Wait" }
const settle: Step = { _tag: "Settle" }
const moveTo = (to: State, reason: Reason | null = null): Step => ({ _tag: "Move", to, reason })

/** `nowMicros` is the database's time, for patience with what is under way. */
export const next = (instance: Instance, seen: Seen, nowMicros: number): Step => {
  if (instance.deletionRequestedAt !== null && instance.state !== "DELETING") return moveTo("DELETING")
  switch (instance.state) {
    case "PENDING":
      return moveTo("CREATING")
    case "CREATING":
      return whileCreating(seen, nowMicros - instance.updatedAt > startTimeoutMillis * 1_000)
    case "RUNNING":
      return whileRunning(seen)
    case "MODIFYING":
      return whileModifying(seen)
    case "STOPPING":
      return whileStopping(seen, moveTo("STOPPED"))
    case "DELETING":
      return whileStopping(seen, remove)
    case "ERROR":
      return inError(instance, seen)
    case "STOPPED":
    case "DELETED":
      return settle
  }
}

function whileCreating(seen: Seen, isOverdue: boolean): Step {
  switch (seen.observation) {
    case undefined:
      return observe
    case "Absent":
      return start
    case "Running":
      return moveTo("RUNNING")
    case "Failed":
      return moveTo("ERROR", "StartFailed")
    case "Starting":
    case "Stopping":
      return isOverdue ? moveTo("ERROR", "StartFailed") : wait
  }
}

function whileRunning(seen: Seen): Step {
  switch (seen.observation) {
    case undefined:
      return observe
    case "Running":
      return settle
    case "Starting":
      return wait
    case "Absent":
    case "Failed":
    case "Stopping":
      return moveTo("ERROR", "Vanished")
  }
}

function whileModifying(seen: Seen): Step {
  if (seen.observation === undefined) return observe
  if (seen.observation === "Running") return moveTo("RUNNING")
  return seen.observation === "Starting" ? wait : moveTo("ERROR", "Vanished")
}

function whileStopping(seen: Seen, whenGone: Step): Step {
  if (!seen.isStopAsked) return stop
  if (seen.observation === undefined) return observe
  return seen.observation === "Absent" ? whenGone : wait
}

/** A fleet replaces what failed by another; a standalone instance is started anew, after what is left of it has gone. */
function inError(instance: Instance, seen: Seen): Step {
  if (hasReturned(instance)) {
    if (seen.observation === undefined) return observe
    if (seen.observation === "Running") return moveTo("RUNNING")
  }
  return instance.fleet === null ? whileStopping(seen, moveTo("CREATING")) : settle
}

/** Given up for its silence, and heard again since. */
function hasReturned(instance: Instance): boolean {
  return (
    instance.reason === "HeartbeatStale" &&
    instance.lastHeartbeatAt !== null &&
    instance.lastHeartbeatAt > instance.updatedAt
  )
}
