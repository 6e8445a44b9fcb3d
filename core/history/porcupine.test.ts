/**
 * Histories of others with known verdicts: Porcupine's test data, which is not part of this project. It is looked for where
 * STORMGLASS_PORCUPINE says, or in ../shared/data/porcupine beside the project, with a `verdicts.csv` of file, model and verdict.
 */
import { existsSync, readFileSync } from "node:fs"
import path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { checkables } from "./checkables.ts"
import { pairRecords } from "./pairRecords.ts"
import { readHistory } from "./readHistory.ts"

const root = path.join(import.meta.dirname, "..", "..")
const directory = process.env["STORMGLASS_PORCUPINE"] ?? path.join(root, "..", "shared", "data", "porcupine")
const verdicts = path.join(directory, "verdicts.csv")
const isThere = existsSync(verdicts)
if (!isThere)
  console.info(`Porcupine's histories are not at ${directory} (STORMGLASS_PORCUPINE): their verdicts are not compared`)

const memoryBytesMax = 64 * 2 ** 20

describe.skipIf(!isThere)("Porcupine's histories", () => {
  const rows = isThere ? readFileSync(verdicts, "utf8").trim().split("\n").slice(1) : []
  for (const row of rows) {
    const [file, model, expected] = row.split(",") as [string, string, string]
    it(`${file} as ${model} is ${expected === "true" ? "linearizable" : "not linearizable"}, in less than 64 MB`, () => {
      const checkable = checkables.find(({ name }) => name === (model.startsWith("etcd") ? "cas-register" : "kv"))!
      const exchanges = pairRecords(readHistory(readFileSync(path.join(directory, file), "utf8")))
      const judging = checkable.begin(exchanges, { isWhole: model === "kv-whole-map", memoryBytesMax })
      const judgement = judging.advance(Infinity)
      assert.strictEqual(judgement?._tag, expected === "true" ? "Linearizable" : "NotLinearizable")
    })
  }
})
