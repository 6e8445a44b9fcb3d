import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { explanations } from "./explanations.ts"
import { type Mutant, type Report, explains, percentOf, plantedIn, scoreOf } from "./Score.ts"

const source = [
  "export const isSoon = (at: number, now: number): boolean => {",
  "  return (",
  "    at <= now",
  "  )",
  "}"
].join("\n")

const mutant = (status: string, replacement = "at < now"): Mutant => ({
  mutatorName: "EqualityOperator",
  replacement,
  status,
  location: { start: { line: 3, column: 5 }, end: { line: 3, column: 14 } }
})

const report = (...mutants: ReadonlyArray<Mutant>): Report => ({ files: { "core/Soon.ts": { source, mutants } } })

describe("the score", () => {
  it("counts what was found by a test or by the limit of time against all, and what could not run (2 of them) not at all", () => {
    const all = ["Killed", "Killed", "Timeout", "Survived", "NoCoverage", "RuntimeError", "Ignored"].map((status) =>
      mutant(status)
    )
    const scores = scoreOf(report(...all))
    assert.deepInclude(scores[0], { file: "core/Soon.ts", killed: 2, timedOut: 1 })
    assert.deepStrictEqual(scores.map(plantedIn), [5])
    assert.strictEqual(percentOf(scores), 60)
  })

  it("is 100 only when all are found (1 of 3,000 is not)", () => {
    const killed = Array.from({ length: 2_999 }, () => mutant("Killed"))
    assert.strictEqual(percentOf(scoreOf(report(...killed))), 100)
    assert.strictEqual(percentOf(scoreOf(report(...killed, mutant("Survived")))), 99.9)
  })

  it("names a survivor by its line, what was replaced and by what", () =>
    assert.deepStrictEqual(scoreOf(report(mutant("Survived")))[0]?.survivors, [
      { file: "core/Soon.ts", line: 3, text: "at <= now", from: "at <= now", to: "at < now" }
    ]))

  it("puts what spans lines on one", () => {
    const block = {
      ...mutant("NoCoverage", "{}"),
      location: { start: { line: 1, column: 61 }, end: { line: 5, column: 2 } }
    }
    assert.deepInclude(scoreOf(report(block))[0]?.survivors[0], { from: "{ return ( at <= now ) }", to: "{}" })
  })

  it("takes an explanation for its own survivor alone", () => {
    const [survivor] = scoreOf(report(mutant("Survived")))[0]!.survivors
    const { from, text, to } = survivor!
    const explanation = { file: "core/Soon.ts", text, from, to, why: "" }
    assert.isTrue(explains(explanation, survivor!))
    assert.isFalse(explains({ ...explanation, to: "at > now" }, survivor!))
    assert.isFalse(explains({ ...explanation, file: "core/Late.ts" }, survivor!))
  })
})

describe("what is mutated and explained", () => {
  const root = new URL("../", import.meta.url)
  const { mutate } = JSON.parse(readFileSync(new URL("mutation/stryker.config.json", root), "utf8"))

  it("is there", () => {
    for (const file of mutate) assert.isTrue(existsSync(new URL(file, root)), file)
  })

  it("still has the lines that explanations are about, each of which is in the documentation", () => {
    const told = readFileSync(new URL("docs/mutation-testing.md", root), "utf8")
    for (const { file, text, to, why } of explanations) {
      assert.include(mutate, file)
      assert.include(readFileSync(new URL(file, root), "utf8"), text, file)
      for (const part of [text, to, why]) assert.include(told, part)
    }
  })
})
