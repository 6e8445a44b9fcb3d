/** The settings of this process, from what was typed, its environment and its configuration file. */
import fs from "node:fs"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { UsageError } from "../Usage.ts"
import { type ConfigFile, type Flags, type Relations, type Resolved, resolve, type Settings } from "./Setting.ts"
import { agentSettings, serveSettings } from "./settings.ts"

const variable = "STORMGLASS_CONFIG"

export const configFlag = {
  config: Flag.String("config").pipe(
    Flag.withDescription(`A file of settings, JSON, by the names that \`stormglass config\` shows (${variable})`),
    Flag.optional
  )
}

/** Throws `UsageError` with everything that is wrong. */
export const readConfig = <const S extends Settings>(
  settings: S,
  { config, ...flags }: Flags & { readonly config: Option.Option<string> },
  relations?: Relations<S>
): Resolved<S> => {
  const all = Object.keys({ ...serveSettings, ...agentSettings })
  const resolved = resolve(settings, { flags, environment: process.env, file: readFile(config) }, all, relations)
  if (Result.isFailure(resolved)) throw new UsageError(resolved.failure)
  return resolved.success
}

function readFile(typed: Option.Option<string>): ConfigFile | undefined {
  const path = Option.getOrElse(typed, () => process.env[variable]?.trim() ?? "")
  if (path === "") return undefined
  const where = Option.isSome(typed) ? "--config" : variable
  let text: string
  try {
    text = fs.readFileSync(path, "utf8")
  } catch (error) {
    throw new UsageError(`${where} ${path}: cannot be read: ${reasonOf(error)}`)
  }
  try {
    return { path, content: JSON.parse(text) }
  } catch (error) {
    // What comes after the comma is a piece of the file, in which there may be a secret.
    throw new UsageError(`${where} ${path}: not JSON: ${(error as Error).message.split(", ")[0]}`)
  }
}
