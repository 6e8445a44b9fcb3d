/**
 * Many runs on all cores; with `untilFailure` the result ends with the first failure in the order of the requests (inOrder.ts).
 */
import { availableParallelism } from "node:os"
import type { ChoicePoint } from "../../sim/kernel/ChoicePoint.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import type { Wants } from "../../sim/search/Search.ts"
import { isFailure, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"
import { inOrder } from "./inOrder.ts"

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
  const {
    budgetMillis = Infinity,
    isStopped,
    jobs,
    onResult,
    requests,
    supervisor,
    untilFailure = false,
    wants
  } = options
  const started = performance.now()
  const done = await inOrder({
    items: requests,
    jobs,
    run: async (request) => {
      const { choicePoints, hostMillis, result } = await supervisor.run(request, wants)
      return { kept: onResult(result, hostMillis, choicePoints), isFailed: isFailure(result.verdict) }
    },
    isLast: ({ isFailed }) => untilFailure && isFailed,
    isOver: () => isStopped() || performance.now() - started >= budgetMillis
  })
  return done.map(({ kept }) => kept)
}
