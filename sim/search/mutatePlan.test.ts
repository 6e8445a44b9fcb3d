import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Chance from "../kernel/Chance.ts"
import { Draw } from "../nemesis/Draw.ts"
import { type Fault, FaultPlan } from "../nemesis/FaultPlan.ts"
import { mutatePlan } from "./mutatePlan.ts"

const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom<Fault>(
    { when: { at: "0s" }, target: "*", fault: "network/partition-groups", for: "1ms" },
    { when: { at: "12.5s" }, target: "random(process)", fault: "process/kill", for: "8s" },
    { when: { from: "0s", until: "100ms", rate: 0.9 }, target: "*", fault: "network/loss" },
    { when: { on: { fact: "Sent" }, nth: 1 }, target: "n1", fault: "process/pause", for: "3s" },
    { when: { struck: ["n1>n2#4"] }, target: "*", fault: "network/loss" },
    { when: { at: "0s" }, target: "n2", fault: "clock/skew", parameters: { millis: 4 } }
  )
)
const plan: fc.Arbitrary<FaultPlan> = fc.array(fault, { maxLength: 5 }).map((faults) => ({ version: 1, faults }))

describe("a changed plan", () => {
  it("is a plan again, a little different, and the same for the same draw", () =>
    fc.assert(
      fc.property(fc.nat(), plan, plan, (seed, given, other) => {
        const surroundings = { nodes: ["n1", "n2"], other }
        const change = () => mutatePlan(new Draw(Chance.root(String(seed))), given, surroundings)
        const changed = change()
        assert.deepStrictEqual(Schema.decodeUnknownSync(FaultPlan)(changed), changed)
        assert.deepStrictEqual(change(), changed)
        assert.isAtMost(Math.abs(changed.faults.length - given.faults.length), 3)
        for (const { when } of changed.faults) if ("on" in when) assert.isAtLeast(when.nth, 1)
      })
    ))

  it("differs most of the time", () => {
    const given: FaultPlan = {
      version: 1,
      faults: [{ when: { at: "12.5s" }, target: "n1", fault: "process/kill", for: "8s" }]
    }
    const changed = Array.from({ length: 100 }, (_, seed) =>
      JSON.stringify(mutatePlan(new Draw(Chance.root(String(seed))), given, { nodes: ["n1", "n2"], other: given }))
    )
    assert.isAbove(changed.filter((text) => text !== JSON.stringify(given)).length, 80)
    assert.isAbove(new Set(changed).size, 60)
  })
})
