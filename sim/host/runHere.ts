/**
 * One run in this thread, whatever becomes of it: what the scenario throws is the verdict of its run.
 */
import type { Scenario } from "../run/Scenario.ts"
import { type Drawn, RequestProblem, type RunOptions, runScenario } from "../run/Simulation.ts"
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import type { World } from "../run/World.ts"
import { endedEarly } from "./endedEarly.ts"
import { inOwnTurn } from "./ownTurn.ts"
import { verdictOf } from "./verdictOf.ts"

/** Throws nothing but `RequestProblem`. */
export const runHere = (scenario: Scenario, request: RunRequest, options: RunOptions): RunResult => {
  let world: World | undefined
  let drawn: Drawn | undefined
  try {
    return runScenario(scenario, request, {
      ...options,
      onWorld: (built) => {
        world = built
        options.onWorld?.(built)
      },
      onDrawn: (all) => {
        drawn = all
        options.onDrawn?.(all)
      }
    })
  } catch (error) {
    if (error instanceof RequestProblem) throw error
    return endedEarly(request, verdictOf(error, world?.nowMicros), { world, drawn })
  }
}

/** Runs it where a scenario of its kind can run: in a turn of its own, when its programs use promises. */
export const runApart = async (scenario: Scenario, request: RunRequest, options: RunOptions): Promise<RunResult> =>
  scenario.isAsync === true ? inOwnTurn(() => runHere(scenario, request, options)) : runHere(scenario, request, options)
