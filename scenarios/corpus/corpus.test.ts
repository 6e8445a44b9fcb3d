/**
 * Small failures of planted bugs, which `stormglass run --mutant NAME` writes: each must still show its bug, and nothing else. One more file
 * in this folder is one more case.
 */
import { readdirSync, readFileSync } from "node:fs"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as FailureFile from "../../reports/FailureFile.ts"
import { Supervisor } from "../../sim/host/Supervisor.ts"
import type { MutantEdits } from "../../sim/host/installMutant.ts"
import type { RunResult, Verdict } from "../../sim/run/Verdict.ts"
import { violationOf } from "../../sim/shrink/violationOf.ts"
import { third } from "../third.fixture.ts"
import { mutants } from "../mutants/catalogue.ts"

const folder = new URL("./", import.meta.url)
const catalogue = new URL("../catalogue.ts", import.meta.url)
const supervise = (mutant: MutantEdits | undefined) =>
  new Supervisor({ catalogue, mutant, jobs: 1, runMillisMax: 60_000 })

const unplanted = supervise(undefined)
afterAll(() => unplanted.close())

const withPlanted = async (saved: FailureFile.FailureFile): Promise<RunResult> => {
  // By name where it is known: the catalogue's edits keep up with the sources.
  const mutant = mutants.find(({ name }) => name === saved.mutant?.name) ?? saved.mutant
  assert.isDefined(mutant, "it names no mutant: the file of a mended failure belongs into scenarios/regressions")
  const supervisor = supervise(mutant)
  try {
    return (await supervisor.run(FailureFile.requestOf(saved))).result
  } finally {
    await supervisor.close()
  }
}

describe("the corpus", { timeout: 120_000 }, () => {
  const files = readdirSync(folder).filter((name) => name.endsWith(".json"))

  it("is there", () => assert.isNotEmpty(files))

  for (const file of third(files)) {
    const saved = FailureFile.parse(readFileSync(new URL(file, folder), "utf8"))
    it(`${file}: ${violationOf(saved.verdict as Verdict)}, with its bug and not without`, async () => {
      const [planted, { result }] = await Promise.all([withPlanted(saved), unplanted.run(FailureFile.requestOf(saved))])
      assert.strictEqual(violationOf(planted.verdict), violationOf(saved.verdict as Verdict))
      assert.deepStrictEqual(result.verdict, { _tag: "passed" })
    })
  }
})
