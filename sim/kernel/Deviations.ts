/**
 * Single departures from the schedule that a strategy makes, by name. Each names its place by counts that belong to one incarnation
 * of one node, as everything does that a plan may speak of:
 *
 *     n1/2@12=1      where the tasks of the second incarnation of n1 had to be put in order for the 12th time (from 0), the one at
 *                    position 1 goes first (the first is at 0)
 *     n1/2#45        the fiber that made the 45th port call (from 0) is preempted, and goes on behind what can run
 *     n1/2#45+4s     it is preempted, and off the processor for so long
 *
 * What names a place that a run does not come to changes nothing.
 */
import { fromMicros, toMicros } from "../nemesis/FaultPlan.ts"

/** Of one incarnation. */
export interface Departures {
  /** Position of the task to take, by decision. */
  readonly tasks: Map<number, number>
  /** How long a preempted fiber stays off the processor, in microseconds, by port call; 0 is behind the others. */
  readonly calls: Map<number, number>
}

/** By "node/incarnation". */
export type Deviations = ReadonlyMap<string, Departures>

export const pattern = /^(.+\/\d+)(?:@(\d+)=(\d+)|#(\d+)(?:\+(\d+(?:\.\d+)?(?:us|ms|s|m)))?)$/

export const expected = 'a departure from the schedule, such as "n1/1@12=1", "n1/1#45" or "n1/1#45+4s"'

/** Undefined when the name is none. */
const parse = (name: string): { readonly of: string; readonly apply: (to: Departures) => void } | undefined => {
  const [, of, decision, position, call, stall] = pattern.exec(name) ?? []
  if (of === undefined) return undefined
  return {
    of,
    apply: ({ calls, tasks }) => {
      if (decision !== undefined) tasks.set(Number(decision), Number(position))
      else calls.set(Number(call), stall === undefined ? 0 : toMicros(stall))
    }
  }
}

/** Dies on what is no deviation. */
export const make = (names: ReadonlyArray<string>): Deviations => {
  const deviations = new Map<string, Departures>()
  for (const name of names) {
    const parsed = parse(name)
    if (parsed === undefined) throw new Error(`"${name}" is not ${expected}`)
    const departures = deviations.get(parsed.of) ?? {
      tasks: new Map<number, number>(),
      calls: new Map<number, number>()
    }
    parsed.apply(departures)
    deviations.set(parsed.of, departures)
  }
  return deviations
}

/** `place` is the name of a decision: "n1/1@12". */
export const takesTask = (place: string, position: number): string => `${place}=${position}`

/** `place` is the name of a port call: "n1/1#45". */
export const preempts = (place: string, stallMicros = 0): string =>
  stallMicros === 0 ? place : `${place}+${fromMicros(stallMicros)}`
