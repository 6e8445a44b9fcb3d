/** The histories that come with the project: `NAME.MODEL.good` or `.bad`, in every format. And a model of one's own. */
import { readdirSync } from "node:fs"
import path from "node:path"
import { assert, describe, it } from "vitest"
import { checkCommand, type CheckOptions } from "./checkCommand.ts"

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
    memoryMegabytes: 64,
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
})
