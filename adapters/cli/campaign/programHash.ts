/**
 * A hash of the sources that runs are made of. Whoever edits one of them has another program, whose runs do not belong into the
 * same store.
 */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { isPath } from "../../../sim/host/loadScenario.ts"
import type { DatabaseName } from "../../../sim/storage/Databases.ts"

const root = new URL("../../../", import.meta.url)

/** Tests are no part of it, nor are mutants: the one that is planted is told by itself. */
const isOther = /\.(test|fixture|d)\.[jt]s$|^bench\/|^mutants\//

export const programHash = (scenarios: ReadonlyArray<string>, storage: DatabaseName): string => {
  const hash = createHash("sha256")
  const add = (name: string, text: Buffer) => hash.update(`${name} ${text.length}\n`).update(text)
  const folders = [
    "core",
    "sim",
    "scenarios",
    ...(storage === "pglite" ? ["adapters/pglite", "adapters/postgres"] : [])
  ]
  for (const folder of folders) {
    const url = new URL(`${folder}/`, root)
    for (const file of readdirSync(url, { recursive: true, encoding: "utf8" }).toSorted()) {
      const name = file.replaceAll("\\", "/")
      if (/\.[jt]s$/.test(name) && !isOther.test(name)) add(`${folder}/${name}`, readFileSync(new URL(name, url)))
    }
  }
  for (const scenario of scenarios.filter(isPath).toSorted()) add(scenario, readFileSync(scenario))
  return hash.digest("hex").slice(0, 16)
}

export const hashOf = (document: unknown): string =>
  createHash("sha256").update(JSON.stringify(document)).digest("hex").slice(0, 16)
