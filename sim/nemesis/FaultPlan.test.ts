import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { FaultPlan, fromMicros, toMicros } from "./FaultPlan.ts"

const decode = Schema.decodeUnknownSync(FaultPlan)

describe("FaultPlan", () => {
  it("durations survive being written: any number of microseconds reads back as itself", () => {
    fc.assert(
      fc.property(fc.nat({ max: 10_000_000_000 }), (micros) => assert.strictEqual(toMicros(fromMicros(micros)), micros))
    )
  })

  it.each([
    ["250us", 250],
    ["24h", 86_400_000_000],
    ["1.5d", 129_600_000_000],
    ["40ms", 40_000],
    ["12.5s", 12_500_000],
    ["3m", 180_000_000]
  ])("%s is %i us", (text, micros) => assert.strictEqual(toMicros(text), micros))

  it("every form of `when` is read as it was written", () => {
    const plan: FaultPlan = {
      version: 1,
      faults: [
        { name: "cut", when: { at: "12.5s" }, target: "n1", with: "db", fault: "network/partition", for: "8s" },
        { when: { from: "5s", until: "40s", rate: 0.02 }, target: "*", fault: "network/loss" },
        {
          when: { on: { fact: "NodeStarted", node: "n2", where: { lease: "leader" } }, nth: 2 },
          target: "n2",
          fault: "process/pause"
        },
        { when: { struck: ["a>b/1#3"] }, target: "*", fault: "network/loss" }
      ],
      core: ["n1", "n2"]
    }
    assert.deepStrictEqual(decode(plan), plan)
  })

  it.each([
    ["another version", { version: 2, faults: [] }, "version"],
    [
      "a rate above one",
      { version: 1, faults: [{ when: { from: "0s", until: "1s", rate: 2 }, target: "*", fault: "x" }] },
      "rate"
    ],
    [
      "a duration without a unit",
      { version: 1, faults: [{ when: { at: "12" }, target: "*", fault: "x" }] },
      "duration"
    ],
    ["a fault without a target", { version: 1, faults: [{ when: { at: "1s" }, fault: "x" }] }, "target"]
  ])("%s is refused, and the message says where", (_what, plan, where) => {
    assert.throws(() => decode(plan), new RegExp(where))
  })
})
