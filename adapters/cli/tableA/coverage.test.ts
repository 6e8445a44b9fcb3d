/** docs/table-a.md is what the sources say. `vitest run adapters/cli/tableA --update` writes it anew. */
import fs from "node:fs"
import path from "node:path"
import { assert, describe, expect, it } from "vitest"
import { coversOf, problems, tableOf } from "./covers.fixture.ts"
import { rows } from "./tableA.fixture.ts"

const root = path.join(import.meta.dirname, "..", "..", "..")

const covers = fs
  .globSync(["core/**/*.ts", "scenarios/**/*.ts", "sim/**/*.test.ts", "adapters/**/*.{test,fixture}.ts"], { cwd: root })
  .filter((file) => !file.startsWith(path.join("adapters", "cli", "tableA")) && !file.includes("node_modules"))
  .toSorted()
  .flatMap((file) =>
    coversOf({ file: file.replaceAll(path.sep, "/"), text: fs.readFileSync(path.join(root, file), "utf8") })
  )

const head = `# Table A, row by row

What a provisioner must do, and what shows that this one does it. Tests run on every change; a scenario is run with many seeds and looks
for what breaks its invariants; a mutant is the mistake itself, which must be found ([mutants.md](mutants.md)).

This file is generated from markers in the sources, a comment \`covers\` with the names of rows, and a test fails when it is not what they say.
`

describe("table A", () => {
  it("has each of its rows covered, or says what is missing, and no marker names another", () => {
    assert.deepEqual(problems(rows, covers), [])
    assert.deepEqual(
      rows.map(({ id }) => id),
      Array.from({ length: rows.length }, (_, index) => `A${index + 1}`)
    )
  })

  it("is in the documentation as the sources have it", () =>
    expect(`${head}\n${tableOf(rows, covers)}\n`).toMatchFileSnapshot(path.join(root, "docs", "table-a.md")))
})

describe("a marker", () => {
  const source = (text: string) => ({ file: "a.test.ts", text })

  it("is about what stands under it", () => {
    const text = '// covers A1, A3\n  it.effect(\n    "does it",\n// covers A2\ndescribe(`of ${what}`, '
    assert.deepEqual(coversOf(source(text)), [
      { rows: ["A1", "A3"], file: "a.test.ts", name: "does it" },
      { rows: ["A2"], file: "a.test.ts", name: "of ${what}" }
    ])
  })

  it("that is wrong is told: above nothing, of no list, of a row that is not there; and so is a row without one", () => {
    assert.throws(() => coversOf(source("// covers A1\n")), /stands above nothing/)
    assert.throws(() => coversOf(source('// covers A1 and A2\nit("x")')), /is no list of rows/)
    const cover = { rows: ["A3"], file: "a.test.ts", name: "x" }
    const some = [
      { id: "A1", title: "" },
      { id: "A2", title: "", missing: "all of it" }
    ]
    assert.deepEqual(problems(some, [cover]), ['a.test.ts: "x" covers A3, which is no row', "A1 is covered by nothing"])
  })
})
