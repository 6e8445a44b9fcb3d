/**
 * Strategies: which runnable task of a node goes next, and where a fiber is preempted. Pure functions of a key and a
 * count; both counts belong to one incarnation of one node, so that no node disturbs another.
 */
import * as Chance from "./Chance.ts"
import type { Deviations } from "./Deviations.ts"

export type StrategyName = "fifo" | "random" | "pct"

/**
 * `random` picks any runnable task, and preempts at port calls (readings of clock and chance, facts, fault points) with
 * the probability given; a preempted fiber stays off the processor for up to `stallMicros`. Port calls, not operations,
 * are counted, so that an added log line moves no preemption. `operationProbability` preempts before any Effect
 * operation: it finds races between plain `Ref`s and does not survive edits.
 */
export interface Strategy {
  readonly name: StrategyName
  readonly preemptProbability: number
  readonly operationProbability: number
  readonly stallMicros: number
  /** Of the preemptions at port calls only these, by name. Default: all. */
  readonly preemptions?: ReadonlySet<string>
  /** Where the schedule departs from all this. Default: nowhere. */
  readonly deviations?: Deviations
  /** Points at which a fiber loses its priority, in each incarnation. */
  readonly changePoints?: number
}

export const fifo: Strategy = { name: "fifo", preemptProbability: 0, operationProbability: 0, stallMicros: 0 }

export const random: Strategy = {
  name: "random",
  preemptProbability: 0.02,
  operationProbability: 0,
  stallMicros: 2_000
}

export const pct: Strategy = {
  name: "pct",
  preemptProbability: 0,
  operationProbability: 0,
  stallMicros: 12_000_000,
  changePoints: 2
}

export const strategies: Readonly<Record<StrategyName, Strategy>> = { fifo, random, pct }

export const strategyNames = ["random", "fifo", "pct"] as const satisfies ReadonlyArray<StrategyName>

/** How many port calls an incarnation makes is not known beforehand: between these, the logarithm uniform. */
const portCallsMin = 32
const portCallsMax = 16_384

const stallMicrosMin = 1_000

/** Port calls of an incarnation at which a fiber loses its priority, and for how many microseconds. */
export const changePointsOf = (
  { changePoints = 0, stallMicros }: Strategy,
  key: Chance.Key
): ReadonlyMap<number, number> =>
  new Map(
    Array.from({ length: changePoints }, (_, index) => {
      const point = Chance.derive(key, `change/${index}`)
      const calls = between(portCallsMin, portCallsMax, Chance.fraction(point, 0))
      const stall = between(stallMicrosMin, stallMicros, Chance.fraction(point, 1))
      return [Math.floor(calls * Chance.fraction(point, 2)), Math.ceil(stall)]
    })
  )

const between = (minimum: number, maximum: number, fraction: number): number =>
  minimum * (maximum / minimum) ** fraction

/** Index of the task to run among `count`. */
export const choose = (strategy: Strategy, key: Chance.Key, nth: number, count: number): number =>
  strategy.name === "fifo" || count === 1 ? 0 : Chance.bits(key, nth) % count
