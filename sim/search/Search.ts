/**
 * A search: rounds of runs, each chosen by what came of those before. A generator of data, as the steps of shrinking are: whoever drives it
 * decides where the runs take place, and ends it at the first failure or when the time is over.
 *
 * - S1 What is asked for depends on what was told, never on how many workers there are or which of them is done first.
 */
import type { Envelope } from "../../core/facts/Envelope.ts"
import type { StrategyName } from "../kernel/Schedule.ts"
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import type { DatabaseName } from "../storage/Databases.ts"

/** What is told of a run besides its result: every fact, the features that it reached, or where it could have gone another way. */
export type Wants = "result" | "facts" | "features" | "choice points"

export interface Ask {
  readonly request: RunRequest
  readonly wants: Wants
}

export interface Told {
  readonly result: RunResult
  /** Empty unless they were asked for. */
  readonly facts: ReadonlyArray<Envelope>
  /** Hashes, each once; empty unless they were asked for. */
  readonly features: ReadonlyArray<number>
}

/** What is told of each ask, in their order; undefined where the plan did not fit its world, or the search is over. */
export type Search = Generator<ReadonlyArray<Ask>, void, ReadonlyArray<Told | undefined>>

export interface SearchSpace {
  /** Names, each of which every strategy visits in turn. */
  readonly scenarios: ReadonlyArray<string>
  readonly storage?: DatabaseName
  /** The first seed. Default: 1. */
  readonly seedFirst?: number
}

/** Runs asked for at once: enough for the workers to be busy, few enough to learn from. */
export const roundSize = 8

export const requestOf = (
  { storage }: SearchSpace,
  scenario: string,
  seed: number,
  strategy: StrategyName = "random"
): RunRequest => ({
  scenario,
  seed: String(seed),
  strategy,
  ...(storage === undefined || storage === "model" ? {} : { storage })
})

/** Seed after seed, each of every scenario, with the faults that the scenario draws. */
export function* seeds(space: SearchSpace, strategy: StrategyName): Search {
  const { scenarios, seedFirst = 1 } = space
  let round: Array<Ask> = []
  for (let seed = seedFirst; ; seed++) {
    for (const scenario of scenarios) {
      round.push({ request: requestOf(space, scenario, seed, strategy), wants: "result" })
      if (round.length < roundSize) continue
      yield round
      round = []
    }
  }
}

/** Several searches at once, one ask of each in turn; each hears only of its own. */
export function* interleave(searches: ReadonlyArray<Search>): Search {
  let live = searches.flatMap((search) => begun(search, search.next()))
  while (live.length > 0) {
    const longest = Math.max(...live.map(({ asks }) => asks.length))
    const round = Array.from({ length: longest }, (_, index) =>
      live.flatMap((one) => {
        const ask = one.asks[index]
        return ask === undefined ? [] : [{ ask, of: one }]
      })
    ).flat()
    const told = yield round.map(({ ask }) => ask)
    live = live.flatMap((one) => {
      const own = told.filter((_, index) => round[index]?.of === one)
      return begun(one.search, one.search.next(own))
    })
  }
}

interface Live {
  readonly search: Search
  readonly asks: ReadonlyArray<Ask>
}

function begun(search: Search, { done, value }: IteratorResult<ReadonlyArray<Ask>, void>): ReadonlyArray<Live> {
  return done === true ? [] : [{ search, asks: value }]
}
