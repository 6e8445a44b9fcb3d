/** What is told of an instance. Pure: each is about rows as they are once it has happened. */
import type { Told } from "../event/Event.ts"
import type { Instance, State } from "./Instance.ts"
import { causeOf, nothingSeen } from "./InstancePlan.ts"

type Failing = Pick<Instance, "state" | "failures">

/** Whether a move is told: an end that nobody asked for, and that it runs after one. Most moves are not. */
export const isTold = (read: Failing, to: State): boolean =>
  to === "ERROR" || (to === "RUNNING" && (read.state === "ERROR" || read.failures !== null))

/** What is told of a move, where it is, from what was read to what is there since. */
export const moved = (read: Failing, now: Instance): ReadonlyArray<Told> => {
  if (!isTold(read, now.state)) return []
  if (now.state === "ERROR") return failed(now)
  const how = read.state === "ERROR" ? "it is heard again" : `it runs, after ${failuresOf(read)}`
  return [about(now, "Recovered", how)]
}

/** It is in ERROR now. */
export const failed = (now: Instance): ReadonlyArray<Told> => {
  const { agent, failure, reason } = now
  if (reason === null) return []
  if (reason !== "HeartbeatStale") return [about(now, reason, failure ?? "")]
  // Silence is stored as no failure: what is there is why it failed before.
  const from = agent === null ? "" : `; it was on agent ${agent}`
  return [about(now, reason, `${causeOf(reason, nothingSeen)}${from}`)]
}

export const parked = (now: Instance): Told =>
  about(now, "Parked", `not tried any more after ${failuresOf(now)}: ${now.failure ?? ""}`)

export const redriven = (now: Instance): Told => about(now, "Redriven", "tried again, as if nothing had failed")

/** `why`: who wants it gone. */
export const deletionRequested = (now: Instance, why: string): Told => about(now, "DeletionRequested", why)

export const replaced = (now: Instance, successor: string): Told => about(now, "Replaced", `by ${successor}`)

export const failuresOf = ({ failures }: Pick<Instance, "failures">): string =>
  failures === 1 ? "1 failure" : `${failures ?? 0} failures in a row`

function about({ fleet, project, uid }: Instance, kind: Told["kind"], detail: string): Told {
  return { project, fleet, instance: uid, kind, detail }
}
