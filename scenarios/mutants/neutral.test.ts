import { stripTypeScriptTypes } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import type { MutantEdits } from "../../sim/host/installMutant.ts"
import { Supervisor } from "../../sim/host/Supervisor.ts"
import { catalogue } from "../catalogue.ts"
import { third } from "../third.fixture.ts"
import { mutants } from "./catalogue.ts"
import { neutralMutants } from "./neutral.ts"
import { fits, planted } from "./planted.fixture.ts"

const together: MutantEdits = { name: "all that is neutral", edits: neutralMutants.flatMap(({ edits }) => edits) }

describe("neutral mutants", () => {
  it("at least ten, each with a name of its own", () => {
    assert.isAtLeast(neutralMutants.length, 10)
    assert.strictEqual(new Set(neutralMutants.map(({ name }) => name)).size, neutralMutants.length)
  })

  it("fit the present sources, also all together, and what they make of them still parses", () => {
    for (const source of planted(together.edits)) assert.isNotEmpty(stripTypeScriptTypes(source))
  })

  it("fit beside every mutant of a scenario, but where one of them swaps the very lines that the mutant changes", () => {
    const unfit = mutants
      .filter(({ suite }) => suite === undefined)
      .flatMap((mutant) => neutralMutants.filter((neutral) => !fits(mutant, neutral)).map(({ name }) => name))
    assert.isAtMost(unfit.length, 1)
  })

  it("break nothing: every scenario passes with all of them together", { timeout: 300_000 }, async () => {
    const url = new URL("../catalogue.ts", import.meta.url)
    const supervisor = new Supervisor({ catalogue: url, mutant: together, jobs: 2, runMillisMax: 60_000 })
    try {
      const outcomes = await Promise.all(
        third(catalogue).map(({ name }) => supervisor.run({ scenario: name, seed: "1", strategy: "random" }))
      )
      for (const { result } of outcomes) {
        assert.deepStrictEqual(result.verdict, { _tag: "passed" }, result.request.scenario)
      }
    } finally {
      await supervisor.close()
    }
  })
})
