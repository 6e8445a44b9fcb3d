/** What the hunt found in effect 4.1.0 (docs/effect-cluster.md), each by the seed that shows it soonest. */
import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import * as entity from "./entity.ts"
import * as workflow from "./workflow.ts"

const run = (scenario: Scenario, seed: string) =>
  runHere(scenario, { scenario: scenario.name, seed, strategy: "random" }, { kinds: faultKinds }).verdict

describe("entities of effect/cluster 4.1.0", () => {
  it("are calm without faults: every order is charged once, and answered", () => {
    for (const scenario of [entity.once, entity.afterAnswer, entity.alike, entity.answered]) {
      const calm = { ...scenario, faults: () => ({ version: 1 as const, faults: [] }) }
      assert.deepStrictEqual(run(calm, "1"), { _tag: "passed" })
    }
  })
})

describe("workflows of effect/cluster 4.1.0", () => {
  it("are calm without faults: every step is done once, and every order comes to its end", () => {
    for (const scenario of [workflow.once, workflow.answered]) {
      const calm = { ...scenario, faults: () => ({ version: 1 as const, faults: [] }) }
      assert.deepStrictEqual(run(calm, "1"), { _tag: "passed" })
    }
  })
})
