/**
 * fast-check's arbitraries of what decides a run: plan, topology and workload of a scenario. They shrink: fewer faults, smaller
 * parameters, earlier moments.
 */
import * as fc from "fast-check"
import type { FaultKind } from "../sim/nemesis/FaultKind.ts"
import { Draw } from "../sim/nemesis/Draw.ts"
import { type Fault, type FaultPlan, fromMicros } from "../sim/nemesis/FaultPlan.ts"
import type { Parameters, Scenario } from "../sim/run/Scenario.ts"
import type { RunRequest } from "../sim/run/Verdict.ts"
import { World } from "../sim/run/World.ts"

/** Each parameter within the scenario's own bounds. */
export const parameters = (scenario: Scenario): fc.Arbitrary<Parameters> =>
  fc.record(
    Object.fromEntries(
      Object.entries(scenario.parameters).map(([name, [minimum, maximum]]) => [
        name,
        fc.integer({ min: minimum, max: maximum })
      ])
    )
  )

/** Up to `faultsMax` faults of the kinds given, at round moments of the scenario's safety phase. */
export const plan = (scenario: Scenario, kinds: ReadonlyArray<FaultKind>, faultsMax = 6): fc.Arbitrary<FaultPlan> => {
  const world = new World({ seed: "arbitrary", isAsync: scenario.isAsync ?? false })
  scenario.build(
    world,
    Object.fromEntries(Object.entries(scenario.parameters).map(([name, [minimum]]) => [name, minimum]))
  )
  const safetyMicros = scenario.safetyMillis * 1_000
  const fault = fc
    .record({
      kind: fc.constantFrom(...kinds),
      key: fc.nat({ max: 10_000 }),
      second: fc.integer({ min: 0, max: Math.floor(scenario.safetyMillis / 1_000) - 1 })
    })
    .map(({ key, kind, second }): ReadonlyArray<Fault> => {
      const [first] = kind.draw(new Draw(key), { safetyMicros, world })
      if (first === undefined) return []
      return ["at" in first.when ? { ...first, when: { at: fromMicros(second * 1_000_000) } } : first]
    })
  return fc.array(fault, { maxLength: faultsMax }).map((faults) => ({ version: 1, faults: faults.flat() }))
}

/** Everything that decides a run. */
export const request = (scenario: Scenario, kinds: ReadonlyArray<FaultKind>): fc.Arbitrary<RunRequest> =>
  fc
    .record({ seed: fc.nat({ max: 1_000_000 }), parameters: parameters(scenario), plan: plan(scenario, kinds) })
    .map((drawn) => ({
      scenario: scenario.name,
      seed: String(drawn.seed),
      strategy: "random",
      parameters: drawn.parameters,
      plan: drawn.plan
    }))
