/**
 * One run in this thread, whatever becomes of it: what the scenario throws is the verdict of its run.
 */
import type { Scenario } from "../run/Scenario.ts"
import { type Drawn, RequestProblem, type RunOptions, runScenario } from "../run/Simulation.ts"
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import type { World } from "../run/World.ts"
import { endedEarly } from "./endedEarly.ts"
import { inOwnTurn, settle } from "./ownTurn.ts"
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

/**
 * The same in a turn of the host's loop of its own, at whose end whatever waits for a promise goes on, still trapped: what a program left
 * behind (`void (async () => …)()`) would otherwise act on the host after its run.
 */
export const runApart = (scenario: Scenario, request: RunRequest, options: RunOptions): Promise<RunResult> =>
  inOwnTurn(() => {
    let world: World | undefined
    const result = runHere(scenario, request, {
      ...options,
      onWorld: (built) => {
        world = built
        options.onWorld?.(built)
      }
    })
    if (world === undefined || result.verdict._tag === "escaped") return result
    world.trapped(settle)
    const { ending, nowMicros } = world
    return ending?._tag === "escaped" ? { ...result, verdict: { ...ending, atMicros: nowMicros } } : result
  })
