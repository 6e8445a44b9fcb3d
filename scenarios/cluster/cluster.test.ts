/** Programs on effect/cluster 4.1.0 without faults; what happens to them with faults is told in `found.test.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import type { World } from "../../sim/run/World.ts"
import * as entity from "./entity.ts"
import * as fenced from "./fenced.ts"
import * as workflow from "./workflow.ts"

const run = (scenario: Scenario, seed: string, onWorld: (world: World) => void = () => undefined) =>
  runHere(scenario, { scenario: scenario.name, seed, strategy: "random" }, { kinds: faultKinds, onWorld }).verdict

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

  it("does both on fenced shards", () => {
    for (const [scenario, all, asked] of [
      [fenced.entity, Object.values(entity), 40],
      [fenced.workflow, Object.values(workflow), 20]
    ] as const) {
      let answers = 0
      const count = (world: World) => world.subscribe(({ fact }) => (answers += fact._tag === "Answered" ? 1 : 0))
      assert.deepStrictEqual(run(calm(scenario, [scenario, ...all]), "1", count), { _tag: "passed" })
      assert.isAtLeast(answers, asked - 2, "whoever asks in the last seconds of the run waits for its end")
    }
  })
})
