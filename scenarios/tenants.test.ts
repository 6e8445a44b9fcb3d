/** Two walls between tenants: what a handler asks for, and what the store shows it. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as FailureFile from "../reports/FailureFile.ts"
import { Supervisor } from "../sim/host/Supervisor.ts"
import { instanceOfAnybody } from "./mutants/instanceOfAnybody.ts"

const catalogue = new URL("catalogue.ts", import.meta.url)
const saved = FailureFile.parse(readFileSync(new URL(`corpus/${instanceOfAnybody.name}.json`, import.meta.url), "utf8"))

describe("a handler that forgets to ask whose an instance is", { timeout: 60_000 }, () => {
  it("shows nothing of another tenant, for the store has not shown it", async () => {
    const [forgetful, ...others] = instanceOfAnybody.edits
    assert.isNotEmpty(others, "with the second wall gone as well it does: see the corpus")
    const mutant = { name: "forgetful-handler", edits: [forgetful!] }
    const supervisor = new Supervisor({ catalogue, mutant, jobs: 1, runMillisMax: 60_000 })
    try {
      // Past the moment at which it is shown without the second wall.
      const untilMicros = (saved.verdict as { readonly atMicros: number }).atMicros + 1_000_000
      const { result } = await supervisor.run({ ...FailureFile.requestOf(saved), untilMicros })
      assert.deepStrictEqual(result.verdict, { _tag: "passed" })
    } finally {
      await supervisor.close()
    }
  })
})
