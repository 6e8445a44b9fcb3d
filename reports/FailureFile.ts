/**
 * A failure as a file: everything that decides the run, and what it was, so that `replay` can do it again and say whether it
 * was the same.
 */
import * as Schema from "effect/Schema"
import { type FieldProblem, fieldProblems, missing, problemLine } from "../core/json/fieldProblems.ts"
import * as Deviations from "../sim/kernel/Deviations.ts"
import { FaultPlan } from "../sim/nemesis/FaultPlan.ts"
import type { RunRequest, RunResult } from "../sim/run/Verdict.ts"
import { databaseNames } from "../sim/storage/Databases.ts"
import { strategyNames } from "../sim/kernel/Schedule.ts"

export const MutantEdits = Schema.Struct({
  name: Schema.String,
  edits: Schema.Array(Schema.Struct({ file: Schema.String, find: Schema.String, replace: Schema.String }))
})

const InstalledAs = Schema.Struct({ name: Schema.String, alias: Schema.String, version: Schema.String })

const Deviation = Schema.String.check(Schema.isPattern(Deviations.pattern, { expected: Deviations.expected }))

export const FailureFile = Schema.Struct({
  version: Schema.Literal(1),
  scenario: Schema.String,
  seed: Schema.String,
  strategy: Schema.Literals(strategyNames),
  storage: Schema.Literals(databaseNames),
  parameters: Schema.Record(Schema.String, Schema.Int),
  /** What was executed; left out by a run that did not live to say it (hung, or its thread ended): the seed draws it again. */
  plan: Schema.optionalKey(FaultPlan),
  /**
   * The same with selectors and rates as they turned out, if the run came to an end: what `replay --pinned` strikes, also when
   * the program has changed and the seed would draw otherwise. The digest is another one.
   */
  pinned: Schema.optionalKey(FaultPlan),
  /** Of a case that was made small: the operations of the workload that are left. */
  operations: Schema.optionalKey(Schema.Array(Schema.String)),
  /** And the preemptions, and whether every message takes as long as every other. */
  preemptions: Schema.optionalKey(Schema.Array(Schema.String)),
  /** Where the schedule departs from that of the strategy, by name. */
  deviations: Schema.optionalKey(Schema.Array(Deviation)),
  isCalm: Schema.optionalKey(Schema.Boolean),
  /** Of a run whose schedules and latencies were drawn anew. */
  noise: Schema.optionalKey(Schema.Int),
  /** Where the run ends, in virtual microseconds: of a violation that only what is judged at the end can show. */
  untilMicros: Schema.optionalKey(Schema.Int),
  mutant: Schema.optionalKey(MutantEdits),
  /** Of packages whose other versions it ran on, installed under these aliases. */
  with: Schema.optionalKey(Schema.Array(InstalledAs)),
  /** Of a scenario that only a test knows, as no file exports it: which test. */
  test: Schema.optionalKey(Schema.Struct({ file: Schema.String, name: Schema.String })),
  versions: Schema.Struct({ stormglass: Schema.String, effect: Schema.String, node: Schema.String, v8: Schema.String }),
  digest: Schema.String,
  verdict: Schema.Unknown
})
export type FailureFile = typeof FailureFile.Type

/** What else found a failure, besides its request. */
export interface Finder {
  readonly mutant?: typeof MutantEdits.Type | undefined
  readonly test?: FailureFile["test"] | undefined
  readonly with?: FailureFile["with"] | undefined
}

export const make = (
  result: RunResult,
  versions: FailureFile["versions"],
  { mutant, test, with: others = [] }: Finder = {}
): FailureFile => ({
  version: 1,
  scenario: result.request.scenario,
  seed: result.request.seed,
  strategy: result.request.strategy,
  storage: result.request.storage ?? "model",
  parameters: result.parameters,
  ...(result.plan === undefined ? {} : { plan: result.plan }),
  ...(result.pinned === undefined ? {} : { pinned: result.pinned }),
  ...madeSmaller(result.request),
  ...(mutant === undefined ? {} : { mutant: { name: mutant.name, edits: mutant.edits } }),
  ...(test === undefined ? {} : { test }),
  ...(others.length === 0 ? {} : { with: others.map(({ alias, name, version }) => ({ name, alias, version })) }),
  versions,
  digest: result.digest,
  verdict: result.verdict
})

/** Everything that decides the run that was saved. */
export const requestOf = (file: FailureFile): RunRequest => ({
  scenario: file.scenario,
  seed: file.seed,
  strategy: file.strategy,
  ...(file.storage === "model" ? {} : { storage: file.storage }),
  parameters: file.parameters,
  ...(file.plan === undefined ? {} : { plan: file.plan }),
  ...madeSmaller(file)
})

type Departing = Omit<RunRequest, "scenario" | "seed" | "strategy" | "storage" | "parameters" | "plan">

/** What a request leaves out of the run that the seed would make, or has otherwise: all of it, or the replay is another run. */
function madeSmaller(of: { readonly [K in keyof Departing]: Departing[K] | undefined }): Departing {
  const { deviations, isCalm, noise, operations, preemptions, untilMicros } = of
  const all: { readonly [K in keyof Required<Departing>]: Departing[K] | undefined } = {
    deviations,
    operations,
    preemptions,
    isCalm,
    noise,
    untilMicros
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

const decode = Schema.decodeUnknownSync(FailureFile)
const decodePlan = Schema.decodeUnknownSync(FaultPlan)

/** A failure file as far as this version knows what is in it. */
export interface Read {
  readonly file: FailureFile
  /** What the file says and nobody here knows, one line each: it decides nothing in a replay. */
  readonly unknown: ReadonlyArray<string>
}

/**
 * Also a file of another version, as long as all is there that this one needs. Throws an error of one line that says what is wrong, and
 * where.
 */
export const read = (text: string): Read => {
  const document = objectOf(documentOf(text))
  const { version } = document
  if (version === 1 || !Number.isInteger(version)) {
    const file = checked(document, decode)
    return { file, unknown: unknownParts(document, file) }
  }
  const of = `it is of version ${String(version)}, and this is version 1`
  try {
    const file = checked({ ...document, version: 1 }, decode)
    return { file, unknown: [`${of}, which reads what it knows of it`, ...unknownParts(document, file)] }
  } catch (error) {
    throw new Error(`${of}: ${(error as Error).message}`, { cause: error })
  }
}

/** The stormglass that wrote it, of a file that cannot be read otherwise. */
export const writerOf = (text: string): string | undefined => {
  try {
    const writer = valueAt(objectOf(documentOf(text)), ["versions", "stormglass"])
    return typeof writer === "string" ? writer : undefined
  } catch {
    return undefined
  }
}

/** Throws as `read` does. */
export const parse = (text: string): FailureFile => read(text).file

/** A plan by itself, or the plan of a failure file. Throws as `parse` does. */
export const parsePlan = (text: string): typeof FaultPlan.Type => {
  const document = documentOf(text)
  const isFailure = typeof document === "object" && document !== null && "scenario" in document
  if (!isFailure) return checked(document, decodePlan)
  const { plan } = parse(text)
  if (plan === undefined) throw new Error("it is the file of a failure that did not live to say its plan")
  return plan
}

/** A mutant as a file: its name and its edits; what else it says is for people. */
export const parseMutant: (document: unknown) => typeof MutantEdits.Type = Schema.decodeUnknownSync(MutantEdits)

function documentOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error("it is no JSON document; is it truncated?", { cause })
  }
}

function objectOf(document: unknown): Readonly<Record<string, unknown>> {
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new Error(`it is ${Array.isArray(document) ? "a list" : JSON.stringify(document)}, and not an object`)
  }
  return document as Readonly<Record<string, unknown>>
}

function checked<A>(given: unknown, decodeIt: (document: unknown) => A): A {
  const document = objectOf(given)
  if (!("version" in document)) throw new Error("it has no version, and this is version 1")
  if (document.version !== 1) {
    throw new Error(`it is of version ${JSON.stringify(document.version)}, and this is version 1`)
  }
  try {
    return decodeIt(document)
  } catch (error) {
    if (!Schema.isSchemaError(error)) throw error
    throw new Error(meant(fieldProblems(error), document), { cause: error })
  }
}

/** Where the document has a member that was not read: "plan.faults[0].jitter". What is inside of it is not looked at. */
function unknownParts(document: unknown, known: unknown, path = ""): ReadonlyArray<string> {
  if (Array.isArray(document)) {
    return document.flatMap((item, at) => unknownParts(item, (known as ReadonlyArray<unknown>)[at], `${path}[${at}]`))
  }
  if (typeof document !== "object" || document === null) return []
  return Object.entries(document).flatMap(([name, value]) => {
    const inside = path === "" ? name : `${path}.${name}`
    if (!Object.hasOwn(known as object, name)) return [`${inside} is unknown to this version, and left out`]
    return unknownParts(value, (known as Readonly<Record<string, unknown>>)[name], inside)
  })
}

/** Key of a `when` to the key that all of its kind have. */
const kindOfWhen: Readonly<Record<string, string>> = {
  at: "at",
  on: "on",
  nth: "on",
  from: "from",
  until: "from",
  rate: "from",
  struck: "struck"
}
const kinds = new Set(Object.values(kindOfWhen))

/**
 * What is wrong, in one line. Of a `when`, which may be one of four kinds, every other kind's key is missing too: what is left is said of
 * the kind that the keys show to be meant.
 */
function meant(problems: ReadonlyArray<FieldProblem>, document: object): string {
  const told = problems.map((problem) => {
    const { message, path } = problem
    const [member, kind = ""] = path.slice(-2)
    if (message !== missing || member !== "when" || !kinds.has(kind)) return problemLine(problem)
    const whenPath = path.slice(0, -1)
    const when = valueAt(document, whenPath)
    const keys = typeof when === "object" && when !== null ? Object.keys(when) : []
    const chosen = keys.map((key) => kindOfWhen[key]).find((key) => key !== undefined)
    if (chosen === undefined) return problemLine({ path: whenPath, message: "Expected one of at, on, from or struck" })
    return chosen === kind ? problemLine(problem) : undefined
  })
  return [...new Set(told.filter((line) => line !== undefined))].join("; ")
}

function valueAt(document: unknown, path: ReadonlyArray<string>): unknown {
  return path.reduce<unknown>((value, key) => (value as Readonly<Record<string, unknown>> | undefined)?.[key], document)
}
