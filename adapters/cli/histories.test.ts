/** The histories that come with the project: `NAME.MODEL.good` or `.bad`, in every format. And a model of one's own. */
import { readdirSync, writeFileSync } from "node:fs"
import path from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "vitest"
import { checkCommand, type CheckOptions } from "./checkCommand.ts"
import { commandLine } from "./CommandLine.fixture.ts"
import { UsageError } from "./Usage.ts"

const { at } = commandLine()

const root = path.join(import.meta.dirname, "..", "..")
const directory = path.join(root, "docs", "histories")
const transfers = path.join(import.meta.dirname, "fixtures", "transfers.ndjson")

const check = (options: Pick<CheckOptions, "file" | "model">) =>
  checkCommand({
    ...options,
    format: undefined,
    isWhole: false,
    level: undefined,
    timeoutMillis: undefined,
    memoryMegabytes: undefined,
    isJson: true,
    isStopped: () => false
  })

describe("the histories that come with the project", () => {
  const files = readdirSync(directory).filter((name) => /\.(good|bad)\./.test(name))
  for (const name of files) {
    const [, model = "", verdict] = name.split(".")
    it(`${name} is ${verdict}`, async () => {
      const { exitCode } = await check({ file: path.join(directory, name), model })
      assert.strictEqual(exitCode, verdict === "good" ? 0 : 1)
    })
  }
})

describe("a model of one's own", () => {
  const accounts = path.join(root, "scenarios", "examples", "accounts.ts")

  it("is taken from a file", async () => {
    const { exitCode, text } = await check({ file: transfers, model: accounts })
    const { explanation, model } = JSON.parse(text)
    assert.deepStrictEqual([exitCode, model], [1, "accounts"])
    assert.strictEqual(
      explanation[0],
      'No order explains balances → {"a":60,"b":100}  (process auditor, lines 5 and 6).'
    )
  })

  it("that is none, or does not load, is refused in one line", async () => {
    const refused = async (model: string) => {
      try {
        await check({ file: transfers, model })
        return "accepted"
      } catch (error) {
        return (error as Error).message
      }
    }
    assert.match(await refused("./nowhere.ts"), /^--model: there is no file \.\/nowhere\.ts$/)
    assert.match(
      await refused(path.join(root, "core", "history", "Value.ts")),
      /exports no model: export what toCheckable/
    )
    assert.match(
      await refused(path.join(root, "adapters", "cli", "fixtures", "cannotLoad.mjs")),
      /does not load: on purpose$/
    )
  })

  /** A register but for these members of its model or its dialect. */
  const modelOf = (members: string): string => {
    const urlOf = (name: string) => JSON.stringify(pathToFileURL(path.join(root, "core", "history", name)).href)
    const lines = [
      `import { toCheckable } from ${urlOf("checkables.ts")}`,
      `import { dialect, register } from ${urlOf("models/Register.ts")}`,
      'const fail = () => { throw new Error("not\\ntoday") }',
      `const mended = (whole) => Object.create(whole, Object.getOwnPropertyDescriptors({ ${members} }))`,
      "const model = mended({ ...register({ initial: null }), changesNothing: undefined })",
      'export const own = toCheckable("own", "mine", model, mended(dialect))'
    ]
    writeFileSync(at("own.mjs"), lines.join("\n"))
    return at("own.mjs")
  }
  const throwing = [
    ["step: fail", "its step throws at write 1 (lines 1 and 2): not today"],
    ["step: undefined", "its step throws at write 1 (lines 1 and 2): model.step is not a function"],
    ["get initial() { fail() }", "its initial throws: not today"],
    ["equals: fail", "its equals throws: not today"],
    ["hash: fail", "its hash throws: not today"],
    ["bytes: fail", "its bytes throws: not today"],
    ["changesNothing: fail", "its changesNothing throws at write 1 (lines 1 and 2): not today"],
    ["describe: fail", "its describe throws at lines 6 and 7: not today"],
    ["describeState: fail", "its describeState throws: not today"],
    ["decode: fail", "its decode throws at write (line 1): not today"]
  ] as const
  for (const [members, said] of throwing) {
    it(`with ${members} is told in one line`, async () => {
      const file = path.join(directory, "register-stale-read.register.bad.ndjson")
      const error = await check({ file, model: modelOf(members) }).catch((error: unknown) => error)
      assert.instanceOf(error, UsageError)
      assert.strictEqual(error.message, `--model: ${at("own.mjs")}, own: ${said}`)
    })
  }
})
