/**
 * Every way to search, by name. docs/search.md says what each is worth.
 */
import { novelty } from "./novelty.ts"
import { placed } from "./placed.ts"
import { interleave, type Search, type SearchSpace, seeds } from "./Search.ts"

export interface SearchStrategy {
  readonly describes: string
  readonly begin: (space: SearchSpace) => Search
}

const swarm: SearchStrategy = {
  describes: "seed after seed, each with faults of its own",
  begin: (space) => seeds(space, "random")
}
const pct: SearchStrategy = {
  describes: "the same with few preemptions, long ones",
  begin: (space) => seeds(space, "pct")
}
const placing: SearchStrategy = {
  describes: "a run without faults, then one fault right after each of its writes, messages and outside effects",
  begin: placed
}
const learning: SearchStrategy = {
  describes: "plans that reached something new are kept and changed",
  begin: novelty
}

const apart = 1_000_000

export const searchStrategies = {
  swarm,
  pct,
  placed: placing,
  novelty: learning,
  portfolio: {
    describes: "of eight runs six by swarm and two by novelty",
    begin: (space) =>
      interleave([
        { search: swarm.begin(space), share: 6 },
        // Its new seeds are others than those of the swarm.
        { search: learning.begin({ ...space, seedFirst: (space.seedFirst ?? 1) + apart }), share: 2 }
      ])
  }
} as const satisfies Readonly<Record<string, SearchStrategy>>

export type SearchName = keyof typeof searchStrategies

export const searchNames = Object.keys(searchStrategies) as ReadonlyArray<SearchName>
