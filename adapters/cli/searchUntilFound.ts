/**
 * Drives a search on all cores until the first failure, or for as long as it is given.
 *
 * - U1 What it finds is the first failure in the order in which the search asked, whatever the number of workers (inOrder.ts).
 */
import { Refused, type Supervisor } from "../../sim/host/Supervisor.ts"
import { isFailure, type RunResult } from "../../sim/run/Verdict.ts"
import type { Ask, Search, Told } from "../../sim/search/Search.ts"
import { inOrder } from "./inOrder.ts"

export interface SearchOptions {
  readonly supervisor: Supervisor
  readonly search: Search
  /** Runs under way at once; as many again wait at hand. */
  readonly jobs: number
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
  const { budgetMillis = Infinity, isStopped, jobs, onResult, runsMax, search, supervisor } = options
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1_000
  const isOver = () => isStopped() || performance.now() - started >= budgetMillis
  let runs = 0
  let next = search.next()
  while (next.done !== true && runs < runsMax && !isOver()) {
    const asks = next.value.slice(0, runsMax - runs)
    const told = await inOrder({
      items: asks,
      jobs,
      run: (ask) => outcomeOf(supervisor, ask),
      isLast: (one) => one !== undefined && isFailure(one.result.verdict),
      isOver
    })
    for (const one of told) {
      runs++
      if (one === undefined) continue
      onResult?.(one.result, runs)
      if (isFailure(one.result.verdict)) return { failure: one.result, runs, seconds: seconds() }
    }
    // What is told belongs to what was asked, one by one.
    if (told.length < asks.length) break
    next = search.next(told)
  }
  return { failure: undefined, runs, seconds: seconds() }
}

async function outcomeOf(supervisor: Supervisor, { request, wants }: Ask): Promise<Told | undefined> {
  try {
    return await supervisor.run(request, wants)
  } catch (error) {
    // A changed plan may name what its world does not have.
    if (error instanceof Refused) return undefined
    throw error
  }
}
