/**
 * Strategies: which runnable task of a node goes next, and where a fiber is preempted. Pure functions of a key and a
 * count; both counts belong to one incarnation of one node, so that no node disturbs another.
 */
import * as Chance from "./Chance.ts"
import type { Deviations } from "./Deviations.ts"

export type StrategyName = "fifo" | "random"

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
}

export const fifo: Strategy = { name: "fifo", preemptProbability: 0, operationProbability: 0, stallMicros: 0 }

export const random: Strategy = {
  name: "random",
  preemptProbability: 0.02,
  operationProbability: 0,
  stallMicros: 2_000
}

export const strategies: Readonly<Record<StrategyName, Strategy>> = { fifo, random }

/** Index of the task to run among `count`. */
export const choose = (strategy: Strategy, key: Chance.Key, nth: number, count: number): number =>
  strategy.name === "fifo" || count === 1 ? 0 : Chance.bits(key, nth) % count
