import { assert, describe, it } from "@effect/vitest"
import * as FailureFile from "./FailureFile.ts"

const file: FailureFile.FailureFile = {
  version: 1,
  scenario: "everything",
  seed: "7",
  strategy: "random",
  storage: "model",
  parameters: { nodes: 3 },
  plan: { version: 1, faults: [{ when: { at: "12.5s" }, target: "n1", fault: "process/kill", for: "2s" }] },
  pinned: { version: 1, faults: [] },
  versions: { stormglass: "0.1.0", effect: "4.1.0", node: "24", v8: "13" },
  digest: "0123456789abcdef",
  verdict: { _tag: "passed" }
}

describe("a failure file", () => {
  it("is read as it was written", () => {
    assert.deepStrictEqual(FailureFile.parse(JSON.stringify(file)), file)
  })

  it("asks for all that decided the run", () => {
    const small = { operations: ["a"], preemptions: [], deviations: [], isCalm: true, noise: 7, untilMicros: 5_000_000 }
    const { parameters, plan, scenario, seed, strategy } = file
    assert.deepStrictEqual(FailureFile.requestOf({ ...file, ...small }), {
      scenario,
      seed,
      strategy,
      parameters,
      plan: plan!,
      ...small
    })
  })

  it("of a run that did not live to say its plan has none, and lends none to other runs", () => {
    const { pinned: _pinned, plan: _plan, ...hung } = file
    assert.deepStrictEqual(FailureFile.parse(JSON.stringify(hung)), hung)
    assert.throws(() => FailureFile.parsePlan(JSON.stringify(hung)), /did not live to say its plan/)
  })

  it.each([
    ["truncated", JSON.stringify(file).slice(0, 200), /truncated/],
    ["of no version", JSON.stringify({ ...file, version: "x" }), /^it is of version "x", and this is version 1$/],
    [
      "of another version, without what this one needs",
      JSON.stringify({ ...file, version: 2, seed: undefined }),
      /^it is of version 2, and this is version 1: seed: is missing$/
    ],
    ["that is a list", "[]", /^it is a list, and not an object$/],
    ["that is nothing", "null", /^it is null, and not an object$/],
    ["without a version", "{}", /^it has no version, and this is version 1$/],
    ["without a seed", JSON.stringify({ ...file, seed: undefined }), /seed/],
    [
      "with a plan of another shape",
      JSON.stringify({ ...file, plan: { version: 1, faults: [{ when: { at: "x" } }] } }),
      /plan/
    ]
  ])("%s is refused in one line", (_what, text, expected) => {
    assert.throws(() => FailureFile.parse(text), expected)
    try {
      FailureFile.parse(text)
    } catch (error) {
      assert.notInclude((error as Error).message, "\n")
    }
  })

  it.each([
    [{ at: 5 }, "faults.0.when.at: Expected string"],
    [{ until: "2s", rate: 0.1 }, "faults.0.when.from: is missing"],
    [{ from: "1s", until: "2s", rate: 2 }, "faults.0.when.rate: Expected a value between 0 and 1"],
    [{ nth: 1 }, "faults.0.when.on: is missing"],
    [{ when: "1s" }, "faults.0.when: Expected one of at, on, from or struck"]
  ])("a plan's when of %j is told what is wrong with the kind that it means", (when, expected) => {
    const plan = JSON.stringify({ version: 1, faults: [{ when, target: "n1", fault: "process/kill" }] })
    try {
      FailureFile.parsePlan(plan)
    } catch (error) {
      return assert.strictEqual((error as Error).message, expected)
    }
    return assert.fail("it was not refused")
  })
})
