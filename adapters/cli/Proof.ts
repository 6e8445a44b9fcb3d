/**
 * An exhaustive search: every choice of a reference run, and every pair that the bound names, until one fails.
 *
 * - E1 The first failure in the order of the search is the one that is found, however many workers there are.
 * - E2 What was not run is said: nothing counts as shown that was not.
 */
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import { isFailure, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"
import { type Choice, keyOf, requestWith } from "../../sim/search/Choice.ts"
import { choicesOf, type LeftOut } from "../../sim/search/choicesOf.ts"
import { firstsOf, secondsOf } from "../../sim/search/pairsOf.ts"
import type { Scale } from "../../sim/search/Scale.ts"
import { sweep } from "./Sweep.ts"

export interface ProofOptions {
  readonly supervisor: Supervisor
  /** Without faults, and with the calmest of schedules. */
  readonly reference: RunRequest
  readonly scale: Scale
  /** How many choices are made in one run: 1 or 2. */
  readonly choicesMax: number
  /** Choices act before this moment of the run. */
  readonly untilMicros: number
  /** The second of a pair acts this soon after the first. */
  readonly withinMicros: number
  readonly jobs: number
  readonly isStopped: () => boolean
  readonly onRun: (progress: Progress) => void
}

export interface Progress {
  readonly runs: number
  /** How many are known to be still to come. */
  readonly left: number
  readonly doing: "one choice" | "two choices"
}

export interface Proof {
  /** By kind. */
  readonly singles: Readonly<Record<string, number>>
  readonly pairs: number
  /** Choices that pairs begin with. */
  readonly firsts: number
  readonly leftOut: Readonly<Record<LeftOut | "nothing happened", number>>
  /** The reference, and those that were repeated for what they leave open, not counted. */
  readonly runs: number
  /** Different ones among them. */
  readonly digests: number
  /** Runs in which no fault changed anything. */
  readonly idle: number
  readonly failure: { readonly choices: ReadonlyArray<Choice>; readonly result: RunResult } | undefined
  /** False when it was told to stop. */
  readonly isFinished: boolean
}

/** So many runs are asked for what they leave open before their pairs are made. */
const firstsAtOnce = 8

export const prove = async (options: ProofOptions): Promise<Proof> => {
  const { isStopped, jobs, onRun, reference, scale, supervisor, untilMicros, withinMicros } = options
  const digests = new Set<string>()
  const leftOut = { "between two steps": 0, "another name": 0, alone: 0, "nothing happened": 0 }
  let runs = 0
  let idle = 0
  let pairs = 0
  const counted = { singles: {} as Record<string, number>, firsts: 0 }
  const ended = (failure: Proof["failure"], isFinished: boolean): Proof => ({
    ...counted,
    pairs,
    leftOut,
    runs,
    digests: digests.size,
    idle,
    failure,
    isFinished
  })

  const { choicePoints, result: calm } = await supervisor.run(reference, "choice points")
  if (isFailure(calm.verdict)) return ended({ choices: [], result: calm }, true)
  const observed = choicesOf({ points: choicePoints, nodes: calm.nodes }, scale, untilMicros)
  Object.assign(leftOut, observed.leftOut)
  const { choices: singles } = observed
  for (const { kind } of singles) counted.singles[kind] = (counted.singles[kind] ?? 0) + 1

  const runAll = async (
    all: ReadonlyArray<ReadonlyArray<Choice>>,
    doing: Progress["doing"]
  ): Promise<{ readonly failure: Proof["failure"]; readonly idle: ReadonlySet<string> }> => {
    const without = new Set<string>()
    let done = 0
    const kept = await sweep({
      supervisor,
      requests: all.map((choices) => requestWith(reference, choices)),
      jobs,
      budgetMillis: undefined,
      untilFailure: true,
      isStopped,
      onResult: (result) => {
        digests.add(result.digest)
        runs++
        done++
        onRun({ runs, left: all.length - done, doing })
        const isIdle = (result.request.plan?.faults.length ?? 0) > 0 && Object.keys(result.effects).length === 0
        if (isIdle) idle++
        return isFailure(result.verdict) ? result : isIdle
      }
    })
    for (const [index, one] of kept.entries()) if (one === true) without.add(keyOf(all[index] as ReadonlyArray<Choice>))
    const last = kept.at(-1)
    const failure =
      typeof last === "object" ? { choices: all[kept.length - 1] as ReadonlyArray<Choice>, result: last } : undefined
    return { failure, idle: without }
  }

  const one = await runAll(
    singles.map((choice) => [choice]),
    "one choice"
  )
  if (one.failure !== undefined || isStopped()) return ended(one.failure, !isStopped())
  if (options.choicesMax < 2) return ended(undefined, true)

  const firsts = firstsOf(singles, scale)
  counted.firsts = firsts.length
  const known = new Set<string>()
  for (let index = 0; index < firsts.length; index += firstsAtOnce) {
    const some = firsts.slice(index, index + firstsAtOnce)
    const open = await Promise.all(
      some.map((first) => supervisor.run(requestWith(reference, [first]), "choice points"))
    )
    const next = open.flatMap(({ choicePoints: points, result }, position) => {
      const first = some[position] as Choice
      const after = choicesOf({ points, nodes: result.nodes }, scale, untilMicros).choices
      const seconds = secondsOf(first, after, scale, { withinMicros, known })
      // A strike that changed nothing, once and for all, leaves the run as it was.
      if (!one.idle.has(keyOf([first])) || !("fault" in first) || "at" in first.fault.when) {
        return seconds.map((second) => [first, second])
      }
      leftOut["nothing happened"] += seconds.length
      return []
    })
    pairs += next.length
    const two = await runAll(next, "two choices")
    if (two.failure !== undefined || isStopped()) return ended(two.failure, !isStopped())
  }
  return ended(undefined, true)
}
