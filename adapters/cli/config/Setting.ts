/**
 * What a process may be told, and by what: a flag, a variable of the environment, a key of the configuration file, or nobody.
 *
 * A table of its own, and not Effect's `Config`: that knows what a value is, but not which of several providers gave it, and stops
 * at the first that is missing; here every value has its origin, and all that is wrong is said at once. Pure.
 */
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { orNearest } from "../../../sim/nemesis/nearest.ts"

/** Of one setting: what is meant, or what is wrong with the text, in words that end in what to write instead. */
export type Parse<A> = (text: string) => Result.Result<A, string>

export interface Setting<A> {
  /** Without the hyphens; undefined for what would be seen in the table of processes. */
  readonly flag: string | undefined
  readonly variable: string
  readonly what: string
  readonly parse: Parse<A>
  /** Where nobody says anything. */
  readonly default: A
  /** Somebody must say it; the default says only what it may look like. */
  readonly isRequired?: boolean
  /** Given as a flag without a value. */
  readonly isSwitch?: boolean
  /** Never repeated, neither in a table nor in what is said to be wrong with it. */
  readonly isSecret?: boolean
  /** For people; not asked where the value is undefined. Default: `String`, and of a secret nothing. */
  readonly show?: (value: A) => string
}

// oxlint-disable-next-line typescript/no-explicit-any -- each setting has a type of its own
export type Settings = Readonly<Record<string, Setting<any>>>

export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer A> ? A : never }

/** Whoever said it, as people name it: `--port`, `PORT`, the path of the file, or `default`. */
export interface Origin {
  readonly kind: "flag" | "environment" | "file" | "default"
  readonly name: string
}

/** What was typed; a switch is true. */
export type Flags = Readonly<Record<string, Option.Option<string | boolean>>>

export interface Given {
  readonly flags: Flags
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly file: ConfigFile | undefined
}

/** A configuration file that was read and is JSON. */
export interface ConfigFile {
  readonly path: string
  readonly content: unknown
}

export interface Resolved<S extends Settings> {
  readonly values: Values<S>
  readonly origins: Readonly<Record<keyof S & string, Origin>>
}

/** What is wrong with values that are right one by one. */
export type Relations<S extends Settings> = (values: Values<S>) => ReadonlyArray<string>

/** The values, or all that is wrong with them, a line each. One file may be for several processes: `elsewhere` are the settings of others. */
export const resolve = <const S extends Settings>(
  settings: S,
  { environment, file, flags }: Given,
  elsewhere: ReadonlyArray<string> = [],
  relations: Relations<S> = () => []
): Result.Result<Resolved<S>, ReadonlyArray<string>> => {
  const problems: Array<string> = []
  const values: Record<string, unknown> = {}
  const origins: Record<string, Origin> = {}
  const keys = keysOf(file, settings, elsewhere, problems)
  for (const [name, setting] of Object.entries(settings)) {
    const found = firstOf(name, setting, { environment, flags, keys, path: file?.path ?? "" })
    values[name] = setting.default
    origins[name] = found?.origin ?? { kind: "default", name: "default" }
    if (found === undefined) {
      if (setting.isRequired === true) problems.push(missingLine(name, setting))
      continue
    }
    const parsed = Result.isFailure(found.text) ? found.text : setting.parse(found.text.success)
    if (Result.isSuccess(parsed)) values[name] = parsed.success
    else problems.push(problemLine(name, setting, found, parsed.failure))
  }
  if (problems.length === 0) problems.push(...relations(values as Values<S>))
  return problems.length > 0
    ? Result.fail(problems)
    : Result.succeed({ values: values as Values<S>, origins: origins as Resolved<S>["origins"] })
}

/** One line of `stormglass config`. */
export interface ShownSetting {
  readonly name: string
  readonly value: string
  readonly origin: Origin
  readonly flag: string | null
  readonly variable: string
  readonly what: string
}

export const show = <S extends Settings>(settings: S, { origins, values }: Resolved<S>): ReadonlyArray<ShownSetting> =>
  Object.entries(settings).map(([name, setting]) => {
    return {
      name,
      value: shown(setting, values[name]),
      origin: origins[name]!,
      flag: setting.flag === undefined ? null : `--${setting.flag}`,
      variable: setting.variable,
      what: setting.what
    }
  })

function shown({ isSecret, show }: Setting<unknown>, value: unknown): string {
  if (value === undefined) return "unset"
  if (show !== undefined) return show(value)
  return isSecret === true ? "<redacted>" : String(value)
}

interface Found {
  readonly origin: Origin
  /** Fails for what is no text at all, with what it should be. */
  readonly text: Result.Result<string, string>
}

function firstOf(
  name: string,
  { flag, variable }: Setting<unknown>,
  given: Omit<Given, "file"> & { readonly keys: ReadonlyMap<string, unknown>; readonly path: string }
): Found | undefined {
  const typed = given.flags[name]
  if (typed !== undefined && Option.isSome(typed)) {
    return { origin: { kind: "flag", name: `--${flag ?? kebab(name)}` }, text: Result.succeed(String(typed.value)) }
  }
  // An empty variable is none, as in most shells.
  const said = given.environment[variable]?.trim() ?? ""
  if (said !== "") return { origin: { kind: "environment", name: variable }, text: Result.succeed(said) }
  if (!given.keys.has(name)) return undefined
  return { origin: { kind: "file", name: given.path }, text: textOf(given.keys.get(name)) }
}

/** A flag that every command has is no setting's own. */
function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Numbers and switches may be written as what they are, and several words as a list. */
function textOf(value: unknown): Result.Result<string, string> {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return Result.succeed(String(value))
  }
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return Result.succeed(value.join(","))
  return Result.fail("not a text, a number, true or false")
}

function problemLine(name: string, { isSecret }: Setting<unknown>, { origin, text }: Found, problem: string): string {
  const where = origin.kind === "file" ? `${origin.name}: ${name}` : origin.name
  const what = isSecret === true || Result.isFailure(text) ? "" : ` "${text.success}"`
  return `${where}${what}: ${problem}`
}

function missingLine(name: string, { flag, variable, what }: Setting<unknown>): string {
  const typed = flag === undefined ? "" : `--${flag}, `
  return `${flag === undefined ? variable : `--${flag}`}: missing: ${what}; give ${typed}${variable}, or ${name} in the file of --config`
}

/** The keys of a file that are settings; the others are problems. */
function keysOf(
  file: ConfigFile | undefined,
  settings: Settings,
  elsewhere: ReadonlyArray<string>,
  problems: Array<string>
): ReadonlyMap<string, unknown> {
  if (file === undefined) return new Map()
  const { content, path } = file
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    problems.push(`${path}: not an object of settings, such as { "port": 8081 }`)
    return new Map()
  }
  const known = [...Object.keys(settings), ...elsewhere]
  const keys = Object.entries(content)
  for (const [key] of keys) {
    if (known.includes(key)) continue
    const hint = orNearest(key, known) || "; `stormglass config` lists them"
    problems.push(`${path}: ${key}: there is no such setting${hint}`)
  }
  return new Map(keys)
}
