/**
 * Drives a search on all cores until the first failure, or for as long as it is given.
 *
 * - U1 What it finds, and after how many runs, does not depend on the number of workers, nor on which of them is done first: the first failure
 *   is the first in the order in which the search asked.
 */
import { Refused, type Outcome, type Supervisor } from "../../sim/host/Supervisor.ts"
import { isFailure, type RunResult } from "../../sim/run/Verdict.ts"
import type { Ask, Search } from "../../sim/search/Search.ts"

export interface SearchOptions {
  readonly supervisor: Supervisor
  readonly search: Search
  /** At most so many runs. */
  readonly runsMax: number
  /** No run begins after so many milliseconds. */
  readonly budgetMillis: number | undefined
  readonly isStopped: () => boolean
  readonly onResult?: (result: RunResult, runs: number) => void
}

export interface Found {
  /** Undefined where there was none. */
  readonly failure: RunResult | undefined
  /** Up to the failure, that one included; runs whose plan did not fit, or that gave nothing but a reference, are counted too. */
  readonly runs: number
  readonly seconds: number
}

export const searchUntilFound = async (options: SearchOptions): Promise<Found> => {
  const { budgetMillis = Infinity, isStopped, onResult, runsMax, search, supervisor } = options
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1_000
  const isOver = () => isStopped() || performance.now() - started >= budgetMillis
  let runs = 0
  let next = search.next()
  while (next.done !== true && runs < runsMax && !isOver()) {
    const round = next.value.slice(0, runsMax - runs)
    const outcomes = await Promise.all(round.map((ask) => outcomeOf(supervisor, ask)))
    for (const outcome of outcomes) {
      runs++
      if (outcome === undefined) continue
      onResult?.(outcome.result, runs)
      if (isFailure(outcome.result.verdict)) return { failure: outcome.result, runs, seconds: seconds() }
    }
    next = search.next(outcomes)
  }
  return { failure: undefined, runs, seconds: seconds() }
}

async function outcomeOf(supervisor: Supervisor, { request, wants }: Ask): Promise<Outcome | undefined> {
  try {
    return await supervisor.run(request, wants)
  } catch (error) {
    // A changed plan may name what its world does not have.
    if (error instanceof Refused) return undefined
    throw error
  }
}
