/**
 * What the commands share: scenarios by name, mutants by name or file, failures written and shown.
 */
import { createHash } from "node:crypto"
import { existsSync, readFileSync, statSync } from "node:fs"
import { isDeepStrictEqual } from "node:util"
import { problemsText } from "../../core/json/fieldProblems.ts"
import { catalogue } from "../../scenarios/catalogue.ts"
import * as FailureFile from "../../reports/FailureFile.ts"
import * as FailureScreen from "../../reports/FailureScreen.ts"
import { type Saved, saveFailure as save, versions } from "../../reports/saveFailure.ts"
import { type MutantEdits, isInside, misfit, pathOf } from "../../sim/host/installMutant.ts"
import type { OtherVersion } from "../../sim/host/installVersions.ts"
import { fileAndExport, isPath } from "../../sim/host/loadScenario.ts"
import { Refused, Supervisor } from "../../sim/host/Supervisor.ts"
import type { FaultPlan } from "../../sim/nemesis/FaultPlan.ts"
import type { StrategyName } from "../../sim/kernel/Schedule.ts"
import type { RunRequest, RunResult } from "../../sim/run/Verdict.ts"
import type { DatabaseName } from "../../sim/storage/Databases.ts"
import { mutants } from "../../scenarios/mutants/catalogue.ts"
import type { Mutant } from "../../scenarios/mutants/Mutant.ts"
import { vitestLine } from "../../reports/vitestLine.ts"
import { versionOf } from "./otherVersions.ts"
import { paint } from "./Output.ts"
import { seedsMax, unknown, UsageError } from "./Usage.ts"

const catalogueUrl = new URL(
  import.meta.url.endsWith(".ts") ? "../../scenarios/catalogue.ts" : "../../scenarios/catalogue.js",
  import.meta.url
)

const databasesUrl = new URL(import.meta.url.endsWith(".ts") ? "./bootPglite.ts" : "./bootPglite.js", import.meta.url)

/** Host time that one run may take, unless it is told otherwise; the longest take a few seconds. */
const runMillisMax = 60_000

export const scenarioNames: ReadonlyArray<string> = catalogue.map(({ name }) => name)

/** A name from the catalogue, or the path of a file that exports a scenario. */
export const requireScenario = (name: string): string => {
  if (scenarioNames.includes(name)) return name
  const [file] = fileAndExport(name)
  const there = statSync(file, { throwIfNoEntry: false })
  if (there?.isDirectory() === true)
    throw new UsageError(`${name} is a directory: name the file that exports a scenario`)
  if (!isPath(file) && there !== undefined)
    throw new UsageError(`${name} is no file of a scenario: .ts, .mts, .js or .mjs`)
  if (!isPath(file) && !/^\.{0,2}\//.test(name)) throw unknown("scenario", name, scenarioNames)
  if (!existsSync(file)) throw new UsageError(`there is no file ${file} to take a scenario from`)
  return name
}

/** Those that were named, or all of the catalogue. */
export const requireScenarios = (names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names.length === 0 ? scenarioNames : names.map(requireScenario)

/** Any file that is no scenario is taken for a failure: what it lacks is said by name. */
export const isFailureFile = (target: string): boolean =>
  target.endsWith(".json") ||
  (!scenarioNames.includes(target) &&
    !isPath(fileAndExport(target)[0]) &&
    statSync(target, { throwIfNoEntry: false })?.isFile() === true)

/** A plan by itself, or the one of a failure file. */
export const readPlan = (path: string): FaultPlan => {
  const text = readText(path, "plan")
  try {
    return FailureFile.parsePlan(text)
  } catch (error) {
    throw new UsageError(`${path} is no fault plan: ${(error as Error).message}`)
  }
}

/** By name from the catalogue, or from a file. Every edit must fit the present sources. */
export const findMutant = (nameOrFile: string): MutantEdits => {
  const isKnown = mutants.some(({ name }) => name === nameOrFile)
  return requireFit(!isKnown && /[/.]/.test(nameOrFile) ? readMutant(nameOrFile) : requireMutant(nameOrFile))
}

/** One of the catalogue. */
export const requireMutant = (name: string): Mutant => {
  const mutant = mutants.find((known) => known.name === name)
  if (mutant !== undefined) return mutant
  throw unknown(
    "mutant",
    name,
    mutants.map((known) => known.name)
  )
}

/** A mutant that changes nothing would pass, and show nothing. */
export const requireFit = <Mutant extends MutantEdits | undefined>(mutant: Mutant): Mutant => {
  if (mutant === undefined) return mutant
  const { edits, name } = mutant
  if (edits.length === 0) throw new UsageError(`mutant ${name}: it has no edits`)
  for (const edit of edits) {
    if (!isInside(edit.file)) throw new UsageError(`mutant ${name}: ${edit.file} is not inside the repository`)
    const wrong = misfit(readText(pathOf(edit.file), `mutant ${name}`), edit)
    if (wrong !== undefined) throw new UsageError(`mutant ${name}: ${wrong}`)
  }
  return mutant
}

export const supervise = (
  mutant: MutantEdits | undefined,
  jobs: number,
  runMillis = runMillisMax,
  versions: ReadonlyArray<OtherVersion> = []
): Supervisor =>
  new Supervisor({ catalogue: catalogueUrl, databases: databasesUrl, mutant, versions, jobs, runMillisMax: runMillis })

export const readText = (path: string, what: string): string => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    throw new UsageError(`${what}: cannot read ${path}`)
  }
}

/** A saved failure, as far as it can be done again. */
export interface OpenedFailure {
  readonly saved: FailureFile.FailureFile
  /** What is planted in the replay. */
  readonly edits: MutantEdits | undefined
  /** What it runs on. */
  readonly versions: ReadonlyArray<OtherVersion>
  /** What differs from what was saved, one line each. */
  readonly differences: ReadonlyArray<string>
}

/** With the mutant that is given, or else with its own. Refused in one line where it is of what there is no more. */
export const openFailure = (path: string, mutant: string | undefined): OpenedFailure => {
  const { file: saved, unknown: parts } = failureOf(path, readText(path, "failure file"))
  if (saved.test !== undefined) {
    throw new UsageError(
      `${path} is of a scenario that only its test knows: ${vitestLine(saved.test.file, saved.test.name)} replays it`
    )
  }
  about(path, "scenario", `${moreOf(saved)}, or write the name that it has now`, () => requireScenario(saved.scenario))
  const versions = (saved.with ?? []).map(({ alias, name }) => versionOf(name, alias, path))
  if (mutant !== undefined) return { saved, edits: findMutant(mutant), versions, differences: parts }
  const { edits, differences } = plantedOf(path, saved)
  return { saved, edits, versions, differences: [...parts, ...aliasesMoved(saved, versions), ...differences] }
}

/** Says of what is refused in a run of the file which part of the file it is, and what to do about it. */
export const ofFailure = async <A>(path: string, saved: FailureFile.FailureFile, run: Promise<A>): Promise<A> => {
  try {
    return await run
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    const remedy = `mend that part or take it out of the file, or ${moreOf(saved)}`
    throw new UsageError(`${path}: it does not fit: ${error.message}; ${remedy}`)
  }
}

/** What of a saved failure its run had no use for, or lacked: the scenario has changed since. One line each. */
export const unusedOf = (saved: FailureFile.FailureFile, result: RunResult): ReadonlyArray<string> => {
  const { operations, ranges } = result
  // A run that ended before it began has said nothing of its scenario.
  const isKnown = result.digest !== ""
  const parameters = Object.entries(saved.parameters).flatMap(([name, value]) => {
    const range = ranges[name]
    if (range === undefined) return [`parameter ${name} is no more: its ${value} decides nothing`]
    const [minimum, maximum] = range
    return value < minimum || value > maximum
      ? [`parameter ${name} is ${value}, as saved: the scenario draws it from ${minimum} to ${maximum} now`]
      : []
  })
  const drawn = Object.keys(ranges).flatMap((name) =>
    saved.parameters[name] === undefined
      ? [`parameter ${name} is new: ${result.parameters[name]} was drawn for it`]
      : []
  )
  const gone = (saved.operations ?? []).filter((name) => !operations.includes(name))
  const missed =
    gone.length === 0
      ? []
      : [
          `${gone.length} of its ${saved.operations?.length} operations were not asked for: ${gone.slice(0, 3).join(", ")}`
        ]
  return isKnown ? [...parameters, ...drawn, ...missed] : []
}

/** The command that runs this again, exactly. */
export const replayLine = (
  request: RunRequest,
  options: {
    readonly mutant: string | undefined
    readonly plan: string | undefined
    readonly until?: string | undefined
  }
): string =>
  [
    `npx stormglass replay ${request.scenario} --seed ${request.seed}`,
    ...(request.strategy === "random" ? [] : [`--strategy ${request.strategy}`]),
    ...(request.storage === undefined ? [] : [`--storage ${request.storage}`]),
    ...(options.plan === undefined ? [] : [`--plan ${options.plan}`]),
    ...(options.mutant === undefined ? [] : [`--mutant ${options.mutant}`]),
    ...(options.until === undefined ? [] : [`--until ${options.until}`])
  ].join(" ")

/** The command that runs a saved failure again, with what was typed besides. */
export const replayFileLine = (
  file: string,
  options: {
    readonly isPinned: boolean
    readonly mutant: string | undefined
    readonly plan: string | undefined
    readonly until: string | undefined
  }
): string =>
  [
    `npx stormglass replay ${file}`,
    ...(options.isPinned ? ["--pinned"] : []),
    ...(options.plan === undefined ? [] : [`--plan ${options.plan}`]),
    ...(options.mutant === undefined ? [] : [`--mutant ${options.mutant}`]),
    ...(options.until === undefined ? [] : [`--until ${options.until}`])
  ].join(" ")

export const isSameMutant = (one: MutantEdits | undefined, other: MutantEdits | undefined): boolean =>
  isDeepStrictEqual(one?.edits, other?.edits)

/** What may have made a saved failure another run: the versions in its file tell some of it. */
export const whatMayDiffer = (saved: FailureFile.FailureFile): string => {
  const now = versions()
  const names = ["stormglass", "effect", "node", "v8"] as const
  const changed = names.filter((name) => saved.versions[name] !== now[name])
  const told = changed.map((name) => `${name} was ${saved.versions[name]} and is ${now[name]}`)
  return told.length === 0
    ? "the program or the simulator may have changed since the file was written; the versions in it are those of today"
    : `the file was written by other versions: ${told.join(", ")}; the program may have changed too`
}

/** What was found outlives a directory that cannot be written. */
export const saveFailure = (
  result: RunResult,
  edits: MutantEdits | undefined,
  file = failurePath(result.request, edits?.name),
  versions: ReadonlyArray<OtherVersion> = []
): Saved => save(result, file, { mutant: edits, with: versions })

/** Runs that differ in what was typed have files of different names. */
export const failurePath = (
  request: RunRequest,
  mutant: string | undefined,
  versions: ReadonlyArray<OtherVersion> = []
): string => {
  const { deviations = [], noise, plan, scenario, seed, storage, strategy } = request
  const given = [...(plan === undefined ? [] : [plan]), ...deviations, ...(noise === undefined ? [] : [noise])]
  const parts = [
    scenario.replace(/\.\w+(?=#|$)/, ""),
    seed,
    ...(strategy === "random" ? [] : [strategy]),
    ...(storage === undefined ? [] : [storage]),
    ...(mutant === undefined ? [] : [mutant]),
    ...versions.map(({ name, version }) => `${name}-${version}`),
    ...(given.length === 0
      ? []
      : [
          createHash("sha256")
            .update(given.map((one) => JSON.stringify(one)).join(""))
            .digest("hex")
            .slice(0, 8)
        ])
  ]
  return `failures/${parts.map((part) => part.replaceAll(/[^\w]+/g, "-").replace(/^-/, "")).join("-")}.json`
}

export interface Again {
  readonly screen: string
  /** Whether the second run was the first one; undefined when there was none. */
  readonly isSame: boolean | undefined
}

/** Runs the failure again with its facts, and gives the screen. */
export const showFailure = async (
  supervisor: Supervisor,
  result: RunResult,
  how: {
    readonly replay: string
    readonly file: string | undefined
    readonly explained?: FailureScreen.Explained
  }
): Promise<Again> => {
  // What did not come back, or took its thread with it, gave no result: it would only do so again, and has no facts to show.
  const isWorthwhile = result.digest !== ""
  const again = isWorthwhile ? await supervisor.run(result.request, "facts") : { result, facts: [] }
  const screen = FailureScreen.render({
    result,
    facts: again.facts,
    paint,
    ...how
  })
  if (!isWorthwhile) return { screen, isSame: undefined }
  const isSame = again.result.digest === result.digest
  if (isSame) return { screen, isSame }
  const differs = paint("red", "DIGEST DIFFERS when run again: this run is not deterministic")
  return { screen: `${screen}\n${differs}`, isSame }
}

export const requestsOf = (
  scenarios: ReadonlyArray<string>,
  seeds: ReadonlyArray<string>,
  how: {
    readonly strategy: StrategyName
    readonly storage?: DatabaseName | undefined
    readonly plan?: FaultPlan | undefined
  }
): ReadonlyArray<RunRequest> => {
  const { plan, storage, strategy } = how
  if (seeds.length * scenarios.length > seedsMax) {
    throw new UsageError(
      `${seeds.length} seeds of ${scenarios.length} scenarios are too many: at most ${seedsMax} runs at once`
    )
  }
  return seeds.flatMap((seed) =>
    scenarios.map((scenario) => ({
      scenario,
      seed,
      strategy,
      ...storageOf(storage),
      ...(plan === undefined ? {} : { plan })
    }))
  )
}

/** Of a request, where the model goes without saying. */
export const storageOf = (name: DatabaseName | undefined): Pick<RunRequest, "storage"> =>
  name === undefined || name === "model" ? {} : { storage: name }

function failureOf(path: string, text: string): FailureFile.Read {
  try {
    return FailureFile.read(text)
  } catch (error) {
    const writer = FailureFile.writerOf(text)
    const remedy =
      writer === undefined || writer === versions().stormglass
        ? ""
        : `; stormglass ${writer}, which wrote it, replays it`
    throw new UsageError(`${path} is no failure file: ${(error as Error).message}${remedy}`)
  }
}

/** Says of which part of the file a complaint is, and what to do. */
function about<A>(path: string, part: string, remedy: string, body: () => A): A {
  try {
    return body()
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new UsageError(`${path}: ${part}: ${error.message}; ${remedy}`)
  }
}

/** Aliases that stand for other versions by now. */
function aliasesMoved(saved: FailureFile.FailureFile, now: ReadonlyArray<OtherVersion>): ReadonlyArray<string> {
  return (saved.with ?? []).flatMap(({ alias, version }, nth) =>
    now[nth]?.version === version ? [] : [`${alias} was ${version} and is ${now[nth]?.version}`]
  )
}

function moreOf({ versions: { stormglass } }: FailureFile.FailureFile): string {
  return `replay it in the sources that it was found in (stormglass ${stormglass})`
}

/** The saved edits where they fit; or else those of the catalogue's mutant of that name, which keep up with the sources. */
function plantedOf(
  path: string,
  saved: FailureFile.FailureFile
): { readonly edits: MutantEdits | undefined; readonly differences: ReadonlyArray<string> } {
  const { mutant } = saved
  try {
    return { edits: requireFit(mutant), differences: [] }
  } catch (error) {
    const known = mutants.find(({ name }) => name === mutant?.name)
    if (!(error instanceof UsageError)) throw error
    if (known === undefined || isSameMutant(known, mutant)) {
      throw new UsageError(`${path}: ${error.message}; ${moreOf(saved)}, or give --mutant`)
    }
    return {
      edits: requireFit(known),
      differences: [`${error.message}: mutant ${known.name} is planted as it is now`]
    }
  }
}

function readMutant(path: string): MutantEdits {
  let document: unknown
  try {
    document = JSON.parse(readText(path, "mutant"))
  } catch (error) {
    if (error instanceof UsageError) throw error
    throw new UsageError(`mutant ${path}: it is no JSON document`)
  }
  try {
    return FailureFile.parseMutant(document)
  } catch (error) {
    throw new UsageError(`mutant ${path}: ${problemsText(error)}`)
  }
}
