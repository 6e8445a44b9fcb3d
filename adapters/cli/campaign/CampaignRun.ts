/**
 * What is kept of one finished run, in memory and in a store: how it ended, how long it took, and what the tables count.
 *
 * - R1 Everything but `hostMillis` and `file` is decided by the program and the request, on any machine.
 */
import * as Schema from "effect/Schema"
import type { MarkCount, RunResult, Verdict } from "../../../sim/run/Verdict.ts"
import { violationOf } from "../../../sim/shrink/violationOf.ts"

export interface CampaignRun {
  readonly scenario: string
  readonly seed: string
  readonly verdict: Verdict
  /** What makes two failures the same; empty for a run that passed. */
  readonly violation: string
  /** Empty for a run that gave no result: it hung, or took its thread with it. */
  readonly digest: string
  readonly virtualMicros: number
  readonly steps: number
  readonly hostMillis: number
  /** Fault kind to how often it changed something. */
  readonly effects: Readonly<Record<string, number>>
  readonly marks: Readonly<Record<string, MarkCount>>
  /** Where the failure is saved. */
  readonly file?: string
}

export const fromResult = (result: RunResult, hostMillis: number, file: string | undefined): CampaignRun => ({
  scenario: result.request.scenario,
  seed: result.request.seed,
  verdict: result.verdict,
  violation: violationOf(result.verdict),
  digest: result.digest,
  virtualMicros: result.virtualMicros,
  steps: result.steps,
  hostMillis: Math.round(hostMillis),
  effects: result.effects,
  marks: result.marks,
  ...(file === undefined ? {} : { file })
})

/** Of the pair that a run is of. */
export const keyOf = ({ scenario, seed }: { readonly scenario: string; readonly seed: string }): string =>
  `${seed} ${scenario}`

/** By scenario, and by seed as a person counts: 2 before 10. */
export const inOrder = (left: CampaignRun, right: CampaignRun): number =>
  textually(left.scenario, right.scenario) || bySeed(left.seed, right.seed)

/** The failure that is over soonest first. Not by the host's time, which is another one on every machine. */
export const byLength = (left: CampaignRun, right: CampaignRun): number =>
  left.virtualMicros - right.virtualMicros || left.steps - right.steps || inOrder(left, right)

const count = Schema.Number.check(Schema.isGreaterThanOrEqualTo(0))
const atMicros = Schema.Number
const VerdictLine = Schema.Union([
  Schema.TaggedStruct("passed", {}),
  Schema.TaggedStruct("violated", {
    invariant: Schema.String,
    message: Schema.String,
    evidence: Schema.Record(Schema.String, Schema.Unknown),
    factId: Schema.Number,
    atMicros
  }),
  Schema.TaggedStruct("stalled", {
    reason: Schema.String,
    waiting: Schema.Array(
      Schema.Struct({
        node: Schema.String,
        fiber: Schema.String,
        waitsFor: Schema.String,
        on: Schema.Literals(["outside", "inside", "end", "turn", "time", "nothing"]),
        sinceMicros: Schema.Number
      })
    ),
    atMicros
  }),
  Schema.TaggedStruct("crashed", { node: Schema.String, cause: Schema.String, atMicros }),
  Schema.TaggedStruct("escaped", { api: Schema.String, remedy: Schema.String, stack: Schema.String, atMicros })
])
const MarkLine = Schema.Tuple([
  Schema.Literals(["sometimes", "always", "reachable", "unreachable", "judged"]),
  count,
  count
])

/** A run as a line of a store. */
export const RunLine = Schema.TaggedStruct("Run", {
  scenario: Schema.String,
  seed: Schema.String,
  verdict: VerdictLine,
  violation: Schema.String,
  digest: Schema.String,
  virtualMicros: count,
  steps: count,
  hostMillis: count,
  effects: Schema.Record(Schema.String, count),
  /** Kind, how often the code came by, how often the condition held. */
  marks: Schema.Record(Schema.String, MarkLine),
  file: Schema.optionalKey(Schema.String)
})

export const toLine = ({ marks, ...run }: CampaignRun): typeof RunLine.Type => ({
  _tag: "Run",
  ...run,
  marks: Object.fromEntries(
    Object.entries(marks).map(([name, { holds, kind, visits }]) => [name, [kind, visits, holds] as const])
  )
})

export const fromLine = ({ _tag, marks, ...run }: typeof RunLine.Type): CampaignRun => ({
  ...run,
  marks: Object.fromEntries(
    Object.entries(marks).map(([name, [kind, visits, holds]]) => [name, { kind, visits, holds }])
  )
})

function bySeed(left: string, right: string): number {
  const isCounted = /^\d+$/.test(left) && /^\d+$/.test(right)
  return isCounted ? left.length - right.length || textually(left, right) : textually(left, right)
}

function textually(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
