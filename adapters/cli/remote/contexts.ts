/**
 * Contexts: control planes by name, each with its addresses, its project and the key for it. Kept in a file that nobody else may read,
 * `stormglass/contexts.json` below `XDG_CONFIG_HOME` (`~/.config`).
 */
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { Name } from "../../../core/api/Views.ts"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { orNearest } from "../../../sim/nemesis/nearest.ts"
import { UsageError } from "../Usage.ts"

const Context = Schema.Struct({
  servers: Schema.Array(Schema.String).check(Schema.isMinLength(1)),
  project: Name,
  /** As it is sent. */
  key: Schema.optionalKey(Schema.String)
})
export type Context = typeof Context.Type

const Contexts = Schema.Struct({
  version: Schema.Literal(1),
  current: Schema.NullOr(Schema.String),
  contexts: Schema.Record(Schema.String, Context)
})
export type Contexts = typeof Contexts.Type

export const none: Contexts = { version: 1, current: null, contexts: {} }

const decode = Schema.decodeUnknownResult(Schema.fromJsonString(Contexts))

/** Per the XDG base directory specification, a relative path counts as unset. */
export const contextsFile = (environment: NodeJS.ProcessEnv = process.env): string => {
  const said = environment["XDG_CONFIG_HOME"] ?? ""
  return path.join(path.isAbsolute(said) ? said : path.join(os.homedir(), ".config"), "stormglass", "contexts.json")
}

/** Throws `UsageError` where it cannot be read, or others may read it. */
export const readContexts = (file = contextsFile()): Contexts => {
  let text: string
  try {
    // Windows has no such bits.
    const isShared = process.platform !== "win32" && (fs.statSync(file).mode & 0o077) !== 0
    if (isShared) throw new UsageError(`${file}: others may read the keys in it: chmod 600 ${file}`)
    text = fs.readFileSync(file, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return none
    throw error instanceof UsageError ? error : new UsageError(`${file}: cannot be read: ${reasonOf(error)}`)
  }
  const decoded = decode(text)
  // Not what is wrong, as there are keys in it.
  if (Result.isFailure(decoded))
    throw new UsageError(`${file}: not a file of contexts; mend it, or remove it and log in again`)
  return decoded.success
}

export const writeContexts = (contexts: Contexts, file = contextsFile()): void => {
  const next = `${file}.${process.pid}`
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    fs.writeFileSync(next, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600 })
    fs.renameSync(next, file)
  } catch (error) {
    throw new UsageError(`${file}: cannot be written: ${reasonOf(error)}`)
  }
}

/** The context of that name, or the current one; undefined when none is meant. Pure. */
export const chosen = (
  { contexts, current }: Contexts,
  asked: string | undefined
): (Context & { readonly name: string }) | undefined => {
  const name = asked ?? current
  if (name === null) return undefined
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined
  if (context !== undefined) return { ...context, name }
  const names = Object.keys(contexts)
  const known = names.length === 0 ? "; none was added yet" : `; there are ${names.join(", ")}`
  throw new UsageError(`there is no context "${name}"${orNearest(name, names) || known}`)
}

/** Pure. The first that is added is used from then on. */
export const added = ({ contexts, current }: Contexts, name: string, context: Context): Contexts => {
  if (Object.hasOwn(contexts, name)) {
    throw new UsageError(`there is a context "${name}" already; \`stormglass context remove ${name}\` first`)
  }
  return { version: 1, current: current ?? name, contexts: { ...contexts, [name]: context } }
}

/** Pure. */
export const used = (contexts: Contexts, name: string): Contexts => {
  chosen(contexts, name)
  return { ...contexts, current: name }
}

/** Pure. */
export const removed = (all: Contexts, name: string): Contexts => {
  chosen(all, name)
  const { [name]: _, ...contexts } = all.contexts
  return { version: 1, current: all.current === name ? null : all.current, contexts }
}

/** Pure. */
export const withKey = (all: Contexts, name: string, key: string): Contexts => {
  const { name: _, ...context } = chosen(all, name)!
  return { ...all, contexts: { ...all.contexts, [name]: { ...context, key } } }
}
