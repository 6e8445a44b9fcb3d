import { readFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import { applyEdit, pathOf } from "../../sim/host/installMutant.ts"
import { mutants } from "./catalogue.ts"
import { exceptionsOnPglite } from "./exceptionsOnPglite.ts"

describe("mutants", () => {
  it("at least twenty, each with a name of its own", () => {
    assert.isAtLeast(mutants.length, 20)
    assert.strictEqual(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  })

  it("what PGlite cannot show is found by a suite", () => {
    for (const exception of Object.keys(exceptionsOnPglite)) {
      assert.isDefined(mutants.find(({ name }) => name === exception)?.suite, exception)
    }
  })

  for (const { edits, name } of mutants) {
    it(`${name} fits the present sources, each edit once, and what it makes of them still parses`, () => {
      const edited = new Map<string, string>()
      for (const edit of edits) {
        const source = edited.get(edit.file) ?? readFileSync(pathOf(edit.file), "utf8")
        edited.set(edit.file, applyEdit(source, edit))
      }
      for (const source of edited.values()) assert.isNotEmpty(stripTypeScriptTypes(source))
    })
  }
})
