/** What an agent does and says next, from what it was given and what it sees: pure. */
import { agentExchangeIntervalMillis, agentLookMillisMin } from "../Limits.ts"
import type { Observation, Spec } from "../ports/Provider.ts"

/** What the control plane wants here, and what it believes to be here. */
export interface Assigned {
  readonly uid: string
  readonly attempt: number
  readonly spec: Spec
  readonly wanted: "run" | "stop"
  readonly observed: Observation | null
}

export interface Report {
  readonly uid: string
  readonly attempt: number
  readonly observation: Observation
}

export interface Steps {
  readonly start: ReadonlyArray<Assigned>
  readonly stop: ReadonlyArray<string>
}

/** Who sees nothing of an instance sees it absent. */
type Seen = ReadonlyMap<string, Observation>

/** What is not as the control plane believes. An end that is wanted is told for as long as the control plane wants it. */
export const reports = (assigned: ReadonlyArray<Assigned>, seen: Seen): ReadonlyArray<Report> =>
  assigned.flatMap(({ attempt, observed, uid, wanted }) => {
    const observation = seen.get(uid) ?? "Absent"
    const believed = wanted === "run" ? (observed ?? "Absent") : observed
    return observation === believed && !(observation === "Absent" && wanted === "stop")
      ? []
      : [{ uid, attempt, observation }]
  })

/**
 * How soon to look again after so many looks in a row that each began or ended something: at once, then after pauses that double up to those
 * between any two looks. What is asked to end is asked again until it has.
 */
export const lookMillis = (acts: number): number =>
  acts === 0
    ? agentExchangeIntervalMillis
    : acts === 1
      ? 0
      : Math.min(agentExchangeIntervalMillis, agentLookMillisMin * 2 ** (acts - 2))

/**
 * What failed is not started again here: whoever placed it decides. What is here and was not given is nobody's: a start comes
 * after its placement, and a placement leaves after its end.
 */
export const steps = (assigned: ReadonlyArray<Assigned>, seen: Seen): Steps => {
  const kept = new Set(assigned.filter(({ wanted }) => wanted === "run").map(({ uid }) => uid))
  return {
    start: assigned.filter(({ uid, wanted }) => wanted === "run" && (seen.get(uid) ?? "Absent") === "Absent"),
    stop: [...seen].flatMap(([uid, observation]) => (observation === "Absent" || kept.has(uid) ? [] : [uid])).toSorted()
  }
}
