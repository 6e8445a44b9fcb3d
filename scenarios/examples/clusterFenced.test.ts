import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { FaultPlan } from "../../sim/nemesis/FaultPlan.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import { clusterFenced } from "./clusterFenced.ts"
import { clusterSingleton } from "./clusterSingleton.ts"

const run = (scenario: Scenario, seed: string) => {
  let plan: FaultPlan | undefined
  const { verdict } = runHere(
    scenario,
    { scenario: scenario.name, seed, strategy: "random" },
    { kinds: faultKinds, onDrawn: (drawn) => (plan = drawn.plan) }
  )
  return { plan, verdict }
}

describe("a singleton of effect/cluster with fenced shards", () => {
  it("writes nothing after its successor under the plan that made it do so without (seed 42)", () => {
    const [without, cured] = [run(clusterSingleton, "42"), run(clusterFenced, "42")]
    assert.strictEqual(without.verdict._tag, "violated")
    assert.deepStrictEqual(cured.verdict, { _tag: "passed" })
    assert.isDefined(cured.plan)
    assert.deepStrictEqual(cured.plan, without.plan)
  })
})
