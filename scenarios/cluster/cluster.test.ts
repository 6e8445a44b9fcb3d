/** Programs on effect/cluster 4.1.0 without faults; what happens to them with faults is told in `found.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import * as entity from "./entity.ts"
import * as workflow from "./workflow.ts"

const run = (scenario: Scenario, seed: string) =>
  runHere(scenario, { scenario: scenario.name, seed, strategy: "random" }, { kinds: faultKinds }).verdict

const calm = (scenario: Scenario, all: ReadonlyArray<Scenario>): Scenario => ({
  ...scenario,
  faults: () => ({ version: 1, faults: [] }),
  invariants: all.flatMap(({ invariants }) => invariants)
})

describe("effect/cluster 4.1.0 without faults", () => {
  it("charges every order once, and answers it", () => {
    const { answered, ...others } = entity
    assert.deepStrictEqual(run(calm(answered, Object.values(others)), "1"), { _tag: "passed" })
  })

  it("does every step of a workflow once, and brings it to its end", () => {
    const { answered, ...others } = workflow
    assert.deepStrictEqual(run(calm(answered, Object.values(others)), "1"), { _tag: "passed" })
  })
})
