/** The cure, by the plans that show what it is for (docs/cluster-fencing.md). */
import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { FaultPlan } from "../../sim/nemesis/FaultPlan.ts"
import { staleRefused } from "../../sim/outside/OutsideResource.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import { clusterFenced } from "../examples/clusterFenced.ts"
import { clusterSingleton } from "../examples/clusterSingleton.ts"
import * as entity from "./entity.ts"
import * as fenced from "./fenced.ts"
import * as workflow from "./workflow.ts"

const run = (scenario: Scenario, seed: string) => {
  let plan: FaultPlan | undefined
  const { marks, verdict } = runHere(
    scenario,
    { scenario: scenario.name, seed, strategy: "random" },
    { kinds: faultKinds, onDrawn: (drawn) => (plan = drawn.plan) }
  )
  return { plan, verdict, refused: marks[staleRefused.name]?.holds ?? 0 }
}

describe("what wrote after its successor on the shards of effect/cluster 4.1.0, on fenced ones under the same plan", () => {
  const pairs = [
    ["a singleton", clusterSingleton, clusterFenced, "97"],
    ["an entity", entity.stale, fenced.entity, "42"],
    ["a step of a workflow", workflow.stale, fenced.workflow, "537"]
  ] as const
  for (const [what, plain, cured, seed] of pairs) {
    it(`is refused: ${what} (seed ${seed})`, () => {
      const [before, after] = [run(plain, seed), run(cured, seed)]
      assert.deepInclude(before.verdict, { _tag: "violated", invariant: "no-stale-writes" })
      assert.deepStrictEqual(after.verdict, { _tag: "passed" })
      assert.isDefined(after.plan)
      assert.deepStrictEqual(after.plan, before.plan)
      assert.isAbove(after.refused, 0)
    })
  }
})
