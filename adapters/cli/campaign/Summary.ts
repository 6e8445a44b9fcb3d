/**
 * What many runs come to. Sums of whole numbers, so that the order in which runs ended changes nothing.
 */
import type { MarkCount } from "../../../sim/run/Verdict.ts"
import type { CampaignRun } from "./CampaignRun.ts"

export interface ScenarioSummary {
  readonly scenario: string
  readonly passed: number
  readonly failed: number
  readonly virtualSeconds: number
  readonly faultKinds: number
  readonly marks: Readonly<Record<string, MarkCount>>
}

export interface Summary {
  readonly passed: number
  readonly failed: number
  readonly scenarios: ReadonlyArray<ScenarioSummary>
  /** Fault kind to how often it changed something. */
  readonly effects: Readonly<Record<string, number>>
}

/** In the order of these scenarios, of which those without a run are left out. */
export const summarize = (runs: ReadonlyArray<CampaignRun>, inOrderOf: ReadonlyArray<string>): Summary => {
  const byScenario = Map.groupBy(runs, ({ scenario }) => scenario)
  const scenarios = inOrderOf.flatMap((scenario): ReadonlyArray<ScenarioSummary> => {
    const ofIt = byScenario.get(scenario)
    if (ofIt === undefined) return []
    const failed = ofIt.filter(({ violation }) => violation !== "").length
    return [
      {
        scenario,
        passed: ofIt.length - failed,
        failed,
        virtualSeconds: virtualSecondsOf(ofIt),
        faultKinds: new Set(ofIt.flatMap((run) => Object.keys(run.effects))).size,
        marks: mergeMarks(ofIt)
      }
    ]
  })
  return {
    passed: total(scenarios.map((each) => each.passed)),
    failed: total(scenarios.map((each) => each.failed)),
    scenarios,
    effects: mergeEffects(runs)
  }
}

export const virtualSecondsOf = (runs: ReadonlyArray<CampaignRun>): number =>
  total(runs.map(({ virtualMicros }) => virtualMicros)) / 1_000_000

function mergeEffects(runs: ReadonlyArray<CampaignRun>): Record<string, number> {
  const merged: Record<string, number> = {}
  for (const { effects } of runs) {
    for (const [kind, count] of Object.entries(effects)) merged[kind] = (merged[kind] ?? 0) + count
  }
  return sorted(merged)
}

function mergeMarks(runs: ReadonlyArray<CampaignRun>): Record<string, MarkCount> {
  const merged: Record<string, MarkCount> = {}
  for (const { marks } of runs) {
    for (const [name, mark] of Object.entries(marks)) {
      const { holds = 0, visits = 0 } = merged[name] ?? {}
      merged[name] = { kind: mark.kind, visits: visits + mark.visits, holds: holds + mark.holds }
    }
  }
  return sorted(merged)
}

function sorted<Value>(record: Readonly<Record<string, Value>>): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).toSorted(([left], [right]) => (left < right ? -1 : 1)))
}

function total(numbers: ReadonlyArray<number>): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}
