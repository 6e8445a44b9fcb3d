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

export const searchStrategies = {
  swarm,
  pct,
  placed: placing,
  novelty: learning,
  portfolio: {
    describes: "several of them in turn: those that pay most together",
    begin: (space) => interleave([swarm.begin(space), placing.begin(space), learning.begin(space)])
  }
} as const satisfies Readonly<Record<string, SearchStrategy>>

export type SearchName = keyof typeof searchStrategies

export const searchNames = Object.keys(searchStrategies) as ReadonlyArray<SearchName>
