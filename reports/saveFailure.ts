/**
 * Writes the file of a failure, with the versions it was found by.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname } from "node:path"
import type { RunResult } from "../sim/run/Verdict.ts"
import * as FailureFile from "./FailureFile.ts"

/** Either where it is, or why it is nowhere. */
export type Saved =
  | { readonly file: string; readonly problem?: undefined }
  | { readonly file?: undefined; readonly problem: string }

/** What was found outlives a directory that cannot be written. */
export const saveFailure = (result: RunResult, file: string, how: FailureFile.Finder = {}): Saved => {
  try {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `${JSON.stringify(FailureFile.make(result, versions(), how), null, 2)}\n`)
    return { file }
  } catch (error) {
    return { problem: `${file}: ${reasonOf(error)}` }
  }
}

/** Of an error of the file system, without its code and call: "permission denied". */
export const reasonOf = (error: unknown): string => {
  const [, reason] = /^E\w+: ([^,]+),/.exec((error as Error).message) ?? []
  return reason ?? (error as Error).message
}

export const versions = (): FailureFile.FailureFile["versions"] => {
  const require = createRequire(import.meta.url)
  const versionOf = (path: string) =>
    (JSON.parse(readFileSync(require.resolve(path), "utf8")) as { version: string }).version
  return {
    stormglass: versionOf(import.meta.url.endsWith(".ts") ? "../package.json" : "../../package.json"),
    effect: versionOf("effect/package.json"),
    node: process.versions.node,
    v8: process.versions.v8
  }
}
