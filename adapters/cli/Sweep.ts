/**
 * Many runs on all cores.
 *
 * - W1 What comes of it does not depend on the number of workers, nor on which of them is done first: with `untilFailure` the
 *   result ends with the first failure in the order of the requests, whatever else had been begun by then.
 */
import { availableParallelism } from "node:os"
import type { ChoicePoint } from "../../sim/kernel/ChoicePoint.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import type { Wants } from "../../sim/search/Search.ts"
import { isFailure, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"

export interface SweepOptions<Kept> {
  readonly supervisor: Supervisor
  readonly requests: ReadonlyArray<RunRequest>
  /** Runs under way at once; as many again wait at hand, so that no worker waits for this thread. */
  readonly jobs: number
  /** No run begins after so many milliseconds. */
  readonly budgetMillis: number | undefined
  /** Ends the sweep at the first failure. */
  readonly untilFailure?: boolean
  /** As each run ends, in whatever order they do: what is kept of it. */
  readonly onResult: (result: RunResult, hostMillis: number, choicePoints: ReadonlyArray<ChoicePoint>) => Kept
  /** What is asked of the runs besides their results. */
  readonly wants?: Wants
  readonly isStopped: () => boolean
}

export const jobsDefault = (): number => Math.max(1, availableParallelism())

/** In the order of the requests; fewer when stopped or out of budget. */
export const sweep = async <Kept>(options: SweepOptions<Kept>): Promise<ReadonlyArray<Kept>> => {
  const { requests, supervisor } = options
  const started = performance.now()
  const kept = new Map<number, Kept>()
  let next = 0
  let end = requests.length
  const isOver = () =>
    options.isStopped() || (options.budgetMillis !== undefined && performance.now() - started >= options.budgetMillis)
  const work = async (): Promise<void> => {
    while (next < end && !isOver()) {
      const index = next++
      const outcome = await supervisor.run(requests[index] as RunRequest, options.wants)
      const { choicePoints, hostMillis, result } = outcome
      kept.set(index, options.onResult(result, hostMillis, choicePoints))
      if (options.untilFailure === true && isFailure(result.verdict)) end = Math.min(end, index + 1)
    }
  }
  await Promise.all(Array.from({ length: options.jobs * 2 }, work))
  return [...kept]
    .filter(([index]) => index < end)
    .toSorted(([left], [right]) => left - right)
    .map(([, one]) => one)
}
