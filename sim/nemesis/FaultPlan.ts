/**
 * A fault plan: named faults, as JSON that a person reads and edits. The swarm draws one from a seed, the run executes
 * it, a failure saves it.
 *
 *   { "version": 1, "faults": [
 *       { "name": "the leader loses the database", "when": { "at": "12.5s" }, "target": "leaderOf(leader)",
 *         "fault": "network/partition", "with": "database", "for": "8s" },
 *       { "when": { "from": "5s", "until": "40s", "rate": 0.02 }, "target": "*", "fault": "network/loss" },
 *       { "when": { "on": { "fact": "NodeStarted", "node": "n2" }, "nth": 2 }, "target": "n2", "fault": "process/pause",
 *         "for": "9s" } ] }
 *
 * Kinds that strike by occurrence take a window and a rate (or, pinned, the occurrences they struck); kinds that are
 * events take a moment or a fact, and last `for` a while. What a plan names must exist in the world it is run in: it is
 * refused otherwise. Facts are the exception, since any program may tell its own: one that nobody tells is waited for in vain.
 */
import * as Schema from "effect/Schema"

/** A duration as a person writes it: "250us", "40ms", "12.5s", "3m", "24h", "30d". */
export const DurationText = Schema.String.check(
  Schema.isPattern(/^\d+(\.\d+)?(us|ms|s|m|h|d)$/, { expected: 'a duration such as "40ms", "12.5s", "3m" or "24h"' })
)

export const FactPattern = Schema.Struct({
  /** The `_tag` of the fact. */
  fact: Schema.String,
  node: Schema.optionalKey(Schema.String),
  /** Fields of the fact that must be equal. */
  where: Schema.optionalKey(Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean])))
})
export type FactPattern = typeof FactPattern.Type

export const At = Schema.Struct({ at: DurationText })
/** The nth such fact, from 1. */
export const On = Schema.Struct({ on: FactPattern, nth: Schema.Int })
export const Window = Schema.Struct({
  from: DurationText,
  until: DurationText,
  rate: Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
})
/** What a rate turned out to be. */
export const Struck = Schema.Struct({ struck: Schema.Array(Schema.String) })

export const When = Schema.Union([At, On, Window, Struck])
export type When = typeof When.Type

export const Fault = Schema.Struct({
  /** For people. */
  name: Schema.optionalKey(Schema.String),
  when: When,
  /** A node, a selector "leaderOf(leader)", "random(control-plane)", or "*". */
  target: Schema.String,
  /** The kind: "network/partition". */
  fault: Schema.String,
  /** The other side, for kinds that have one: a target too. */
  with: Schema.optionalKey(Schema.String),
  /** How long an event lasts; without it, until healed. */
  for: Schema.optionalKey(DurationText),
  /** What the kind takes besides, by name. */
  parameters: Schema.optionalKey(Schema.Record(Schema.String, Schema.Number))
})
export type Fault = typeof Fault.Type

export const FaultPlan = Schema.Struct({
  version: Schema.Literal(1),
  faults: Schema.Array(Fault),
  /** In the liveness phase only these nodes are healed; without it, everybody. */
  core: Schema.optionalKey(Schema.Array(Schema.String))
})
export type FaultPlan = typeof FaultPlan.Type

/** A fault of the plan that acted: which, when, and on whom. */
export interface Acted {
  /** Its position in the plan. */
  readonly entry: number
  readonly atMicros: number
  readonly targets: ReadonlyArray<string>
  readonly others: ReadonlyArray<string>
}

const microsByUnit = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000, h: 3_600_000_000, d: 86_400_000_000 } as const

/** Dies on what `DurationText` refuses. */
export const toMicros = (text: string): number => {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h|d)$/.exec(text)
  if (match === null) throw new Error(`"${text}" is no duration; write 40ms, 12.5s, 3m, 24h or 30d`)
  return Math.round(Number(match[1]) * microsByUnit[match[2] as keyof typeof microsByUnit])
}

/** The shortest text that means this many microseconds. */
export const fromMicros = (micros: number): string => {
  if (micros % 1_000 !== 0) return `${micros}us`
  if (micros % 100_000 === 0) return `${micros / 1_000_000}s`
  return `${micros / 1_000}ms`
}
