/**
 * Histories of others with known verdicts: Porcupine's test data, which is not part of this project. It is looked for where
 * STORMGLASS_PORCUPINE says, or in ../shared/data/porcupine beside the project, with a `verdicts.csv` of file, model and verdict.
 */
import { existsSync, readFileSync } from "node:fs"
import path from "node:path"
import { type Checkable, checkables, type Judging } from "./checkables.ts"
import { pairRecords } from "./pairRecords.ts"
import { readHistory } from "./readHistory.ts"

const root = path.join(import.meta.dirname, "..", "..")

export const directory = process.env["STORMGLASS_PORCUPINE"] ?? path.join(root, "..", "shared", "data", "porcupine")

export interface Row {
  readonly file: string
  /** Theirs. */
  readonly model: string
  readonly isLinearizable: boolean
}

/** Empty where the data is not there. */
export const rows = (): ReadonlyArray<Row> => {
  const verdicts = path.join(directory, "verdicts.csv")
  if (!existsSync(verdicts)) return []
  const lines = readFileSync(verdicts, "utf8").trim().split("\n").slice(1)
  return lines.map((line) => {
    const [file = "", model = "", isLinearizable] = line.split(",")
    return { file, model, isLinearizable: isLinearizable === "true" }
  })
}

/** Read, and ready to be judged. */
export const begin = ({ file, model }: Row, memoryBytesMax: number): Judging => {
  const name = model.startsWith("etcd") ? "cas-register" : "kv"
  const checkable = checkables.find((one: Checkable) => one.name === name)!
  const exchanges = pairRecords(readHistory(readFileSync(path.join(directory, file), "utf8")))
  return checkable.begin(exchanges, { isWhole: model === "kv-whole-map", memoryBytesMax })
}
