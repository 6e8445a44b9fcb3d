/**
 * The corpus outlives a refactoring: each small failure is run with an edit beside its bug that changes no behaviour, and must fail as before.
 * One edit for each of a sample, in turn; `stormglass mutants --shrink` tries each with all of them.
 */
import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as FailureFile from "../../reports/FailureFile.ts"
import { Supervisor } from "../../sim/host/Supervisor.ts"
import type { Verdict } from "../../sim/run/Verdict.ts"
import { violationOf } from "../../sim/shrink/violationOf.ts"
import { third } from "../third.fixture.ts"
import { mutants } from "../mutants/catalogue.ts"
import { neutralMutants } from "../mutants/neutral.ts"
import { fits } from "../mutants/planted.fixture.ts"

const folder = new URL("./", import.meta.url)
const keptRatioMin = 0.9
/** So many small failures for each edit. */
const casesPerEdit = 2

const files = readdirSync(folder).filter((name) => name.endsWith(".json"))

const sampleCount = Math.min(files.length, casesPerEdit * neutralMutants.length)
/** Spread over the corpus. */
const sample = Array.from({ length: sampleCount }, (_, nth) => files[Math.floor((nth * files.length) / sampleCount)]!)

const cases = sample.map((file, at) => {
  const saved = FailureFile.parse(readFileSync(new URL(file, folder), "utf8"))
  const mutant = mutants.find(({ name }) => name === saved.mutant?.name) ?? saved.mutant
  assert.isDefined(mutant, file)
  // From its turn on the first that can be planted beside the bug.
  const inTurn = neutralMutants.map((_, more) => neutralMutants[(at + more) % neutralMutants.length]!)
  const neutral = inTurn.find((each) => fits(mutant, each))
  assert.isDefined(neutral, file)
  return { mutant, neutral, saved }
})

/** Undefined where it fails as before; else how it does not. */
const lost = async ({ mutant, neutral, saved }: (typeof cases)[number]): Promise<string | undefined> => {
  const name = `${mutant.name} and ${neutral.name}`
  const supervisor = new Supervisor({
    catalogue: new URL("../catalogue.ts", import.meta.url),
    mutant: { name, edits: [...mutant.edits, ...neutral.edits] },
    jobs: 1,
    runMillisMax: 60_000
  })
  try {
    const { verdict } = (await supervisor.run(FailureFile.requestOf(saved))).result
    const isKept = violationOf(verdict) === violationOf(saved.verdict as Verdict)
    return isKept ? undefined : `${name}: ${violationOf(verdict) || "passed"}`
  } finally {
    await supervisor.close()
  }
}

describe("the corpus under edits that change no behaviour", () => {
  it("is run with each of them", () =>
    assert.deepStrictEqual(
      [...new Set(cases.map(({ neutral }) => neutral.name))].toSorted(),
      neutralMutants.map(({ name }) => name).toSorted()
    ))

  it("fails as before, but for one in ten at most", { timeout: 300_000 }, async () => {
    const tried = third(cases)
    const open = [...tried]
    const losses: Array<string> = []
    const work = async () => {
      for (let next = open.shift(); next !== undefined; next = open.shift()) {
        const loss = await lost(next)
        if (loss !== undefined) losses.push(loss)
      }
    }
    await Promise.all([work(), work()])
    assert.isAtMost(losses.length, tried.length * (1 - keptRatioMin), losses.join("\n"))
  })
})
