/**
 * Many runs: which, in what order, how far they are, and what came of them.
 */
import { availableParallelism } from "node:os"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import { isFailure, type MarkCount, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"

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
  readonly wallSeconds: number
  readonly seedsPerSecond: number
  readonly virtualPerWall: number
  readonly scenarios: ReadonlyArray<ScenarioSummary>
  /** Fault kind to how often it changed something. */
  readonly effects: Readonly<Record<string, number>>
}

export interface SweepOptions {
  readonly supervisor: Supervisor
  readonly requests: ReadonlyArray<RunRequest>
  /** No run begins after so many milliseconds. */
  readonly budgetMillis: number | undefined
  /** Ends the sweep at the first failure. */
  readonly untilFailure?: boolean
  readonly onResult: (result: RunResult, done: number) => void
  readonly isStopped: () => boolean
}

export const jobsDefault = (): number => Math.max(1, availableParallelism())

/** Results in the order of the requests, whatever the number of workers; fewer when stopped or out of budget. */
export const sweep = async (options: SweepOptions): Promise<ReadonlyArray<RunResult>> => {
  const { requests, supervisor } = options
  const started = performance.now()
  const results = new Map<number, RunResult>()
  let next = 0
  let hasFailed = false
  const isOver = () =>
    options.isStopped() ||
    (options.untilFailure === true && hasFailed) ||
    (options.budgetMillis !== undefined && performance.now() - started >= options.budgetMillis)
  const work = async (): Promise<void> => {
    while (next < requests.length && !isOver()) {
      const index = next++
      const { result } = await supervisor.run(requests[index] as RunRequest)
      results.set(index, result)
      hasFailed ||= isFailure(result.verdict)
      options.onResult(result, results.size)
    }
  }
  await Promise.all(Array.from({ length: jobsDefault() * 2 }, work))
  return [...results].toSorted(([left], [right]) => left - right).map(([, result]) => result)
}

export const summarize = (results: ReadonlyArray<RunResult>, wallSeconds: number): Summary => {
  const byScenario = Map.groupBy(results, (result) => result.request.scenario)
  const scenarios = [...byScenario].map(([scenario, runs]): ScenarioSummary => {
    const failed = runs.filter((run) => isFailure(run.verdict)).length
    return {
      scenario,
      passed: runs.length - failed,
      failed,
      virtualSeconds: total(runs.map((run) => run.virtualMicros / 1_000_000)),
      faultKinds: new Set(runs.flatMap((run) => Object.keys(run.effects))).size,
      marks: mergeMarks(runs)
    }
  })
  const virtualSeconds = total(scenarios.map((each) => each.virtualSeconds))
  return {
    passed: total(scenarios.map((each) => each.passed)),
    failed: total(scenarios.map((each) => each.failed)),
    wallSeconds,
    seedsPerSecond: results.length / wallSeconds,
    virtualPerWall: virtualSeconds / wallSeconds,
    scenarios,
    effects: mergeEffects(results)
  }
}

function mergeEffects(results: ReadonlyArray<RunResult>): Record<string, number> {
  const merged: Record<string, number> = {}
  for (const { effects } of results) {
    for (const [kind, count] of Object.entries(effects)) merged[kind] = (merged[kind] ?? 0) + count
  }
  return merged
}

function mergeMarks(results: ReadonlyArray<RunResult>): Record<string, MarkCount> {
  const merged: Record<string, MarkCount> = {}
  for (const { marks } of results) {
    for (const [name, mark] of Object.entries(marks)) {
      const { holds = 0, visits = 0 } = merged[name] ?? {}
      merged[name] = { kind: mark.kind, visits: visits + mark.visits, holds: holds + mark.holds }
    }
  }
  return merged
}

function total(numbers: ReadonlyArray<number>): number {
  return numbers.reduce((sum, number) => sum + number, 0)
}
