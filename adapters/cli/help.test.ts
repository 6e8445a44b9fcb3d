/** What a new user reads: the help of every command, and what an example of it is worth. */
import { assert, describe, it } from "vitest"
import * as Result from "effect/Result"
import { commandLine } from "./CommandLine.fixture.ts"
import { exitCodeLines } from "./exitCodes.ts"
import { manifestExample, manifestOf, parse } from "./remote/manifest.ts"
import { stormglass } from "./commandLine.ts"

const { typed } = commandLine()

interface Tree {
  readonly name: string
  readonly subcommands: ReadonlyArray<{ readonly commands: ReadonlyArray<Tree> }>
}

/** Of each command, how it is typed. */
const paths = ({ subcommands }: Tree, before: ReadonlyArray<string> = []): ReadonlyArray<ReadonlyArray<string>> =>
  subcommands
    .flatMap(({ commands }) => commands)
    .flatMap((command) => {
      const path = [...before, command.name]
      return [path, ...paths(command, path)]
    })

describe("the help", () => {
  it("of every command says what an argument may be that is one of a few words", async () => {
    const all = paths(stormglass as unknown as Tree)
    assert.isAbove(all.length, 30)
    const choices: Array<string> = []
    for (const path of all) {
      const { code, out } = await typed(...path, "--help")
      assert.strictEqual(code, 0, path.join(" "))
      const own = out.split("\n").filter((line) => /^ {2}[^- ]\S* choice\b/.test(line))
      for (const line of own) assert.match(line, /^ {2}\S+ choice +[A-Z][^:]+: \w+, \w/, path.join(" "))
      choices.push(...own)
    }
    assert.isAtLeast(choices.length, 5)
  })

  it("of the program ends with what its exit codes mean", async () => {
    const { out } = await typed("--help")
    assert.include(
      out,
      `EXIT CODES\n${exitCodeLines()
        .map((line) => `  ${line}`)
        .join("\n")}`
    )
  })

  it("of apply shows a file, as apply takes it", async () => {
    const { out } = await typed("apply", "--help")
    for (const line of manifestExample.split("\n")) assert.include(out, line)
    const parsed = Result.getOrThrow(parse(manifestExample))
    assert.deepStrictEqual(
      parsed.map(({ kind }) => kind),
      ["fleet", "instance"]
    )
  })

  it("of a type shows how it is written in a file", async () => {
    for (const type of ["fleet", "fleet-wanted", "instance"]) {
      const { out } = await typed("explain", type)
      const manifest = manifestOf(type)!
      assert.include(out, manifest)
      assert.isTrue(Result.isSuccess(parse(manifest)))
    }
    assert.notInclude((await typed("explain", "member")).out, "apply")
  })
})
