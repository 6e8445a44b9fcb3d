import { assert, describe, it } from "@effect/vitest"
import { type Trial, worthOf } from "./strategyTable.ts"

const trial = (runs: number, isFound = true): Trial => ({
  mutant: "m",
  by: "swarm",
  seedFirst: 1,
  isFound,
  runs,
  seconds: runs
})

describe("what a strategy is worth", () => {
  it("is the median and the worst of its trials, and not of another's", () => {
    const worth = worthOf("swarm", [trial(4), trial(9), trial(2), { ...trial(100), by: "pct" }])
    assert.deepInclude(worth, { trials: 3, found: 3, runsMedian: 4, runsWorst: 9, secondsWorst: 9 })
  })

  it("has no worst where something was not found: it would have taken longer", () => {
    assert.deepInclude(worthOf("swarm", [trial(4), trial(2), trial(400, false)]), {
      found: 2,
      runsMedian: 4,
      runsWorst: null
    })
    assert.isNull(worthOf("swarm", [trial(400, false), trial(400, false), trial(2)]).runsMedian)
  })
})
