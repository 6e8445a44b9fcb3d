/**
 * One of n parts of a campaign, for one of n machines.
 *
 * - S1 Every pair of a scenario and a seed is in exactly one part.
 * - S2 Each part has its share of every scenario and of every seed, to within one run: slow scenarios burden all alike.
 */
import { UsageError } from "../Usage.ts"

export interface Shard {
  /** From 1. */
  readonly index: number
  readonly count: number
}

/** "2/3". */
export const parseShard = (text: string): Shard => {
  const [, first, second] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? []
  const [index, count] = [Number(first), Number(second)]
  if (first === undefined || count < 1 || index < 1 || index > count)
    throw new UsageError(`--shard "${text}": write which part of how many, as 1/2 and 2/2`)
  return { index, count }
}

/** Of pairs that are grouped by seed, with the scenarios in the same order for each. */
export const partOf = <Pair>(pairs: ReadonlyArray<Pair>, scenarios: number, { count, index }: Shard): Array<Pair> =>
  pairs.filter((_, at) => (Math.floor(at / scenarios) + (at % scenarios)) % count === index - 1)
