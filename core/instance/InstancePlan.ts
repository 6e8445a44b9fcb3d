/**
 * What to do next for one instance, from its row and what was seen outside: a pure step. The shell performs it and asks
 * again, so that between any two steps the process may die and the next one starts from the row.
 *
 * The intent is always stored before the effect: a row is CREATING before the provider hears of its uid, and DELETING before
 * it is told to stop. A resource is asked to stop before its absence is believed, because a provider that lags shows
 * one that is being started as absent.
 */
import { reconcileProgressMillis, reconcileWaitMillisMax, stableMillis, startTimeoutMillis } from "../Limits.ts"
import type { Observation, Observed } from "../ports/Provider.ts"
import * as Parking from "../reconcile/Parking.ts"
import type { Instance, Reason, State } from "./Instance.ts"

/** What is known of the outside, gathered in this very reconcile. */
export interface Seen extends Omit<Observed, "observation"> {
  readonly observation: Observation | undefined
  /** The provider has taken a `stop` before the observation. */
  readonly isStopAsked: boolean
  /** The row says that its start begins now. */
  readonly isBegun?: boolean
}

export const nothingSeen: Seen = { observation: undefined, isStopAsked: false }

export type Step =
  | { readonly _tag: "Observe" }
  /** It could not be started when that was first tried: the time that it has for its start begins now. */
  | { readonly _tag: "Begin" }
  | { readonly _tag: "Start" }
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Move"; readonly to: State; readonly reason: Reason | null }
  /** The row leaves. */
  | { readonly _tag: "Remove" }
  /** Under way outside; look again after so long. */
  | { readonly _tag: "Wait"; readonly afterMillis: number }
  /** Not before that time, by the database's clock. */
  | { readonly _tag: "Later"; readonly atMicros: number }
  /** It has failed too often: nobody works on it any more. */
  | { readonly _tag: "Park" }
  /** It runs, and has for long enough: what failed before does not count any more. */
  | { readonly _tag: "Forget" }
  /** All is as it should be. */
  | { readonly _tag: "Settle" }

const observe: Step = { _tag: "Observe" }
const begin: Step = { _tag: "Begin" }
const start: Step = { _tag: "Start" }
const stop: Step = { _tag: "Stop" }
const remove: Step = { _tag: "Remove" }
const park: Step = { _tag: "Park" }
const forget: Step = { _tag: "Forget" }
const settle: Step = { _tag: "Settle" }
const moveTo = (to: State, reason: Reason | null = null): Step => ({ _tag: "Move", to, reason })

/** `nowMicros` is the database's time, for patience with what is under way. */
export const next = (
  instance: Instance,
  seen: Seen,
  nowMicros: number,
  policy: Parking.Policy = Parking.policyDefault
): Step => {
  if (instance.deletionRequestedAt !== null && instance.state !== "DELETING") return moveTo("DELETING")
  if (Parking.isParked(instance)) return settle
  switch (instance.state) {
    case "PENDING":
      return startAgain(instance, nowMicros, policy)
    case "CREATING":
      return whileCreating(seen, nowMicros - instance.updatedAt)
    case "RUNNING":
      return whileRunning(instance, seen, nowMicros)
    case "MODIFYING":
      return whileModifying(seen, nowMicros - instance.updatedAt)
    case "STOPPING":
      return whileStopping(seen, moveTo("STOPPED"), nowMicros - instance.updatedAt)
    case "DELETING":
      return whileStopping(seen, remove, nowMicros - instance.updatedAt)
    case "ERROR":
      return inError(instance, seen, nowMicros, policy)
    case "STOPPED":
    case "DELETED":
      return settle
  }
}

/** `sinceMicros`: for how long it has been in this state, here and below; a start that had to wait for room has waited before that. */
function whileCreating(seen: Seen, sinceMicros: number): Step {
  switch (seen.observation) {
    case undefined:
      return observe
    case "Absent":
      return seen.isBegun === true || sinceMicros <= reconcileProgressMillis * 1_000 ? start : begin
    case "Running":
      return moveTo("RUNNING")
    case "Failed":
      return moveTo("ERROR", "StartFailed")
    case "Starting":
    case "Stopping":
      return sinceMicros > startTimeoutMillis * 1_000 ? moveTo("ERROR", "StartFailed") : waiting(sinceMicros)
  }
}

function whileRunning(instance: Instance, seen: Seen, nowMicros: number): Step {
  switch (seen.observation) {
    case undefined:
      return observe
    case "Running":
      return instance.failures !== null && isStable(instance, nowMicros) ? forget : settle
    case "Starting":
      return waiting(nowMicros - instance.updatedAt)
    case "Absent":
    case "Failed":
    case "Stopping":
      return moveTo("ERROR", "Vanished")
  }
}

function whileModifying(seen: Seen, sinceMicros: number): Step {
  if (seen.observation === undefined) return observe
  if (seen.observation === "Running") return moveTo("RUNNING")
  return seen.observation === "Starting" ? waiting(sinceMicros) : moveTo("ERROR", "Vanished")
}

function whileStopping(seen: Seen, whenGone: Step, sinceMicros: number): Step {
  if (!seen.isStopAsked) return stop
  if (seen.observation === undefined) return observe
  return seen.observation === "Absent" ? whenGone : waiting(sinceMicros)
}

/** The longer it takes, the more seldom it is looked at: whoever knows that it has come further says so. */
function waiting(sinceMicros: number): Step {
  const halfMillis = Math.floor(sinceMicros / 2_000)
  return { _tag: "Wait", afterMillis: Math.min(Math.max(halfMillis, reconcileProgressMillis), reconcileWaitMillisMax) }
}

/**
 * A fleet replaces what failed by another; a standalone instance is started anew, after what is left of it has gone. What has failed too
 * often is parked, after that.
 */
function inError(instance: Instance, seen: Seen, nowMicros: number, policy: Parking.Policy): Step {
  if (hasReturned(instance)) {
    if (seen.observation === undefined) return observe
    if (seen.observation === "Running") return moveTo("RUNNING")
  }
  const sinceMicros = nowMicros - instance.updatedAt
  if (Parking.isExhausted(instance, policy)) return whileStopping(seen, park, sinceMicros)
  return instance.fleet === null ? whileStopping(seen, startAgain(instance, nowMicros, policy), sinceMicros) : settle
}

/** At once, or after the pause that a failure earned. */
function startAgain(instance: Instance, nowMicros: number, policy: Parking.Policy): Step {
  const atMicros = Parking.restartAtMicros(instance, policy)
  return nowMicros < atMicros ? { _tag: "Later", atMicros } : moveTo("CREATING")
}

/** It has run for so long that its start has succeeded. */
function isStable({ state, updatedAt }: Instance, nowMicros: number): boolean {
  return state === "RUNNING" && nowMicros - updatedAt >= stableMillis * 1_000
}

/** How often in a row it has failed when it fails now. */
export const failuresWith = (instance: Instance, nowMicros: number): number =>
  isStable(instance, nowMicros) ? 1 : (instance.failures ?? 0) + 1

/** What is stored of why it failed: "its start failed on agent a1: exited with code 1: out of memory". */
export const causeOf = (reason: Reason, { agent, cause, observation }: Seen): string => {
  const where = agent === undefined ? "" : ` on agent ${agent}`
  const how = `${where}${cause === undefined ? "" : `: ${cause}`}`
  switch (reason) {
    case "StartFailed":
      return observation === "Failed"
        ? `its start failed${how}`
        : `it did not run within ${startTimeoutMillis / 1_000} s${where}`
    case "Vanished":
      return observation === "Failed" ? `it failed while it ran${how}` : "it ran, and is gone"
    case "HeartbeatStale":
      return "nothing was heard of it any more"
  }
}

/** Given up for its silence, and heard again since. */
function hasReturned(instance: Instance): boolean {
  return (
    instance.reason === "HeartbeatStale" &&
    instance.lastHeartbeatAt !== null &&
    instance.lastHeartbeatAt > instance.updatedAt
  )
}
