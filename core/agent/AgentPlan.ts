/** What an agent does and says next, from what it was given and what it sees: pure. */
import { agentExchangeIntervalMillis, agentLookMillisMin, reportCauseCharsMax } from "../Limits.ts"
import type { Observation, Observed, Spec } from "../ports/Provider.ts"
import { lineOf } from "../ports/Text.ts"

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
  /** How it ended, as a line of at most `reportCauseCharsMax`. */
  readonly cause?: string
}

/** What a node takes in reports beyond what each node does; it says so, and is told no more. */
export const features = ["report-cause"] as const

export interface Steps {
  readonly start: ReadonlyArray<Assigned>
  readonly stop: ReadonlyArray<string>
}

/** Who sees nothing of an instance sees it absent. */
type Seen = ReadonlyMap<string, Observed>

/**
 * What is not as the control plane believes, and how it ended where the node that is told takes that (`taken`). An end that is wanted is told for
 * as long as the control plane wants it.
 */
export const reports = (
  assigned: ReadonlyArray<Assigned>,
  seen: Seen,
  taken: ReadonlyArray<string> = []
): ReadonlyArray<Report> =>
  assigned.flatMap(({ attempt, observed, uid, wanted }) => {
    const { cause = "", observation } = seen.get(uid) ?? { observation: "Absent" }
    const believed = wanted === "run" ? (observed ?? "Absent") : observed
    if (observation === believed && !(observation === "Absent" && wanted === "stop")) return []
    const line =
      observation === "Failed" && taken.includes("report-cause") ? lineOf(cause, reportCauseCharsMax) : undefined
    return [{ uid, attempt, observation, ...(line === undefined ? {} : { cause: line }) }]
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
    start: assigned.filter(
      ({ uid, wanted }) => wanted === "run" && (seen.get(uid)?.observation ?? "Absent") === "Absent"
    ),
    stop: [...seen]
      .flatMap(([uid, { observation }]) => (observation === "Absent" || kept.has(uid) ? [] : [uid]))
      .toSorted()
  }
}
