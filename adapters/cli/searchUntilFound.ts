/**
 * Drives a search on all cores until the first failure, or for as long as it is given.
 *
 * - U1 What it finds, and after how many runs, does not depend on the number of workers, nor on which of them is done first: the first failure
 *   is the first in the order in which the search asked.
 */
import { Refused, type Supervisor } from "../../sim/host/Supervisor.ts"
import { isFailure, type RunResult } from "../../sim/run/Verdict.ts"
import type { Ask, Search, Told } from "../../sim/search/Search.ts"

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
  const { budgetMillis = Infinity, isStopped, onResult, runsMax, search } = options
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1_000
  const isOver = () => isStopped() || performance.now() - started >= budgetMillis
  let runs = 0
  let next = search.next()
  while (next.done !== true && runs < runsMax && !isOver()) {
    const told = await roundOf(next.value.slice(0, runsMax - runs), options, isOver)
    for (const one of told) {
      runs++
      if (one === undefined) continue
      onResult?.(one.result, runs)
      if (isFailure(one.result.verdict)) return { failure: one.result, runs, seconds: seconds() }
    }
    next = search.next(told)
  }
  return { failure: undefined, runs, seconds: seconds() }
}

/** In the order of the asks, up to the first failure, or to the first that was not begun. */
async function roundOf(
  asks: ReadonlyArray<Ask>,
  { jobs, supervisor }: SearchOptions,
  isOver: () => boolean
): Promise<ReadonlyArray<Told | undefined>> {
  const told = new Map<number, Told | undefined>()
  let next = 0
  let end = asks.length
  const work = async (): Promise<void> => {
    while (next < end && !isOver()) {
      const index = next++
      const outcome = await outcomeOf(supervisor, asks[index] as Ask)
      told.set(index, outcome)
      if (outcome !== undefined && isFailure(outcome.result.verdict)) end = Math.min(end, index + 1)
    }
  }
  await Promise.all(Array.from({ length: jobs * 2 }, work))
  const count = Array.from({ length: end }, (_, index) => index).find((index) => !told.has(index)) ?? end
  return Array.from({ length: count }, (_, index) => told.get(index))
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
