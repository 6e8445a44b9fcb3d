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
/** With anything but "result", the result of a run that passed is whole, too. */
export type Wants = "result" | "plan" | "facts" | "features" | "choice points"

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

/** One of several searches, and how many of its asks are in each round. */
export interface Part {
  readonly search: Search
  readonly share: number
}

/** Several searches at once; each hears only of its own, and as in rounds of its own. */
export function* interleave(parts: ReadonlyArray<Part>): Search {
  let live = parts.flatMap((part) => begun(part, part.search.next()))
  while (live.length > 0) {
    const shares = live.map(({ asks, share, told }) => asks.slice(told.length, told.length + share))
    const answers = yield shares.flat()
    let from = 0
    live = live.flatMap((one, nth) => {
      const told = [...one.told, ...answers.slice(from, (from += shares[nth]!.length))]
      return told.length < one.asks.length ? [{ ...one, told }] : begun(one, one.search.next(told))
    })
  }
}

interface Live extends Part {
  readonly asks: ReadonlyArray<Ask>
  /** Of the first of them, so far. */
  readonly told: ReadonlyArray<Told | undefined>
}

function begun(
  { search, share }: Part,
  { done, value }: IteratorResult<ReadonlyArray<Ask>, void>
): ReadonlyArray<Live> {
  return done === true ? [] : [{ search, share, asks: value, told: [] }]
}
