import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import type { StrategyName } from "../../sim/kernel/Schedule.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { FaultPlan } from "../../sim/nemesis/FaultPlan.ts"
import { runScenario } from "../../sim/run/Simulation.ts"
import { catalogue } from "../catalogue.ts"

/** A failure that was found and mended, with the plan that showed it. */
interface Regression {
  readonly scenario: string
  readonly why: string
  readonly seed: string
  readonly strategy: StrategyName
  readonly parameters: Readonly<Record<string, number>>
  readonly plan: FaultPlan
}

const folder = new URL("./", import.meta.url)

describe("mended for good", () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".json"))) {
    const { why, ...request } = JSON.parse(readFileSync(new URL(file, folder), "utf8")) as Regression
    it(`${file}: ${why}`, async () => {
      const scenario = await catalogue.find(({ name }) => name === request.scenario)?.load()
      assert.isDefined(scenario)
      assert.deepStrictEqual(runScenario(scenario, request, { kinds: faultKinds }).verdict, { _tag: "passed" })
    })
  }
})
