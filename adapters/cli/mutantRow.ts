/**
 * One line of the table of mutants: whether it is found, by what, and after how much.
 *
 * - A mutant of a scenario is found when an invariant or liveness fails, and its replay line reproduces that in a fresh
 *   process with the same digest.
 * - A mutant of a suite is found when the edited sources were loaded and one of the suite's tests failed on them.
 */
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type MutantEdits, pathOf } from "../../sim/host/installMutant.ts"
import { exceptionsOnPglite } from "../../scenarios/mutants/exceptionsOnPglite.ts"
import type { Mutant, Suite } from "../../scenarios/mutants/Mutant.ts"
import type { DatabaseName } from "../../sim/storage/Databases.ts"
import type { RunResult } from "../../sim/run/Verdict.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import { type SearchName, searchStrategies } from "../../sim/search/strategies.ts"
import { inFreshProcess } from "./inFreshProcess.ts"
import { editedLine } from "./mutantPlugin.ts"
import { paint } from "./Output.ts"
import * as Session from "./Session.ts"
import { type Found, searchUntilFound } from "./searchUntilFound.ts"

export interface MutantRow {
  readonly mutant: string
  readonly incident: string
  /** Caught by what should catch it, and again where it can be replayed. */
  readonly isFound: boolean
  /** How many it took; null where tests find it. */
  readonly runs: number | null
  readonly seconds: number | null
  /** The scenario, or the file of the tests. */
  readonly where: string | null
  readonly caughtBy: string
}

/** How a mutant is looked for in the scenarios. */
export interface MutantSearch {
  readonly by: SearchName
  /** At most so many. */
  readonly runs: number
  readonly budgetMillis?: number
  /** As `Mutant.runsIn`. */
  readonly runsIn?: string | undefined
  readonly seedFirst?: number
  readonly storage: DatabaseName
  readonly jobs: number
  readonly isStopped: () => boolean
}

/** Whether it is a mistake of the storage itself: of the adapter that production and PGlite share. */
const isOfStorage = ({ edits }: Mutant): boolean => edits.every(({ file }) => file.startsWith("adapters/postgres/"))

/**
 * Why the mutant is not looked for with this database, or undefined where it is: a suite has its own, whatever scenarios run on, unless it is
 * of the storage, with which scenarios run on PGlite too.
 */
export const whyNot = (mutant: Mutant, storage: DatabaseName): string | undefined => {
  if (storage === "model") return undefined
  const exception = exceptionsOnPglite[mutant.name]
  if (exception !== undefined) return `not to be found on PGlite: ${exception}`
  return mutant.suite === undefined || isOfStorage(mutant) ? undefined : "its suite needs no database"
}

export const mutantRow = (mutant: Mutant, search: MutantSearch): Promise<MutantRow> =>
  mutant.suite === undefined || search.storage === "pglite"
    ? rowOfScenarios(mutant, search)
    : rowOfSuite(Session.requireFit(mutant), mutant.suite)

export const mutantLine = ({ caughtBy, incident, isFound, mutant, runs, seconds, where }: MutantRow): string => {
  const cost = `${String(runs).padStart(6)} runs ${(seconds ?? 0).toFixed(1).padStart(6)} s`
  const how = `${runs === null ? "suite".padStart(cost.length) : cost}  ${caughtBy}${where === null ? "" : ` in ${where}`}`
  return `${mutant.padEnd(44)}${isFound ? how : paint("red", how)}  ${paint("dim", incident)}`
}

/** The scenarios of the catalogue, searched up to the first failure. */
export const searchMutant = (
  supervisor: Supervisor,
  { budgetMillis, by, isStopped, jobs, runs, runsIn = "", seedFirst = 1, storage }: MutantSearch
): Promise<Found> => {
  const scenarios = Session.scenarioNames.filter((name) => !name.startsWith("example/") && name.startsWith(runsIn))
  const search = searchStrategies[by].begin({ scenarios, storage, seedFirst })
  return searchUntilFound({ supervisor, search, jobs, runsMax: runs, budgetMillis, isStopped })
}

async function rowOfScenarios(mutant: Mutant, search: MutantSearch): Promise<MutantRow> {
  const edits = Session.requireFit(mutant)
  const supervisor = Session.supervise(edits, search.jobs)
  try {
    const { failure, runs, seconds } = await searchMutant(supervisor, { runsIn: mutant.runsIn, ...search })
    const row = { mutant: mutant.name, incident: mutant.incident, runs, seconds }
    if (failure === undefined) return { ...row, isFound: false, where: null, caughtBy: "nothing" }
    return { ...row, where: failure.request.scenario, ...(await caught(failure, edits)) }
  } finally {
    await supervisor.close()
  }
}

/** By what, if it is what should catch it, and fails in the same way where the saved failure is replayed. */
async function caught(failure: RunResult, edits: MutantEdits): Promise<Pick<MutantRow, "isFound" | "caughtBy">> {
  const { verdict } = failure
  if (verdict._tag !== "violated" && verdict._tag !== "stalled") {
    return { isFound: false, caughtBy: `no invariant: it ${verdict._tag}` }
  }
  const directory = mkdtempSync(join(tmpdir(), "stormglass-"))
  try {
    const { file, problem } = Session.saveFailure(failure, edits, join(directory, "failure.json"))
    if (file === undefined) throw new Error(problem)
    const again = JSON.parse(await inFreshProcess(["replay", file, "--json"], [0, 1, 3])) as RunResult
    const caughtBy = verdict._tag === "violated" ? verdict.invariant : "liveness"
    const isSame = again.digest === failure.digest && again.verdict._tag === verdict._tag
    return { isFound: isSame, caughtBy: isSame ? caughtBy : `${caughtBy}, but its replay differs` }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** As vitest's JSON reporter writes it. */
interface Report {
  readonly testResults: ReadonlyArray<{
    readonly assertionResults: ReadonlyArray<{ readonly status: string; readonly title: string }>
  }>
}

/** What a mutant makes hang is ended after this. */
const suiteMillisMax = 300_000

async function rowOfSuite({ edits, incident, name }: Mutant, suite: Suite): Promise<MutantRow> {
  const row = { mutant: name, incident, runs: null, seconds: null, where: suite.file, isFound: false }
  const directory = mkdtempSync(join(tmpdir(), "stormglass-"))
  try {
    const file = join(directory, "report.json")
    const vitest = fileURLToPath(new URL("vitest.mjs", import.meta.resolve("vitest/package.json")))
    const args = ["run", suite.file, "-t", suite.test, "--reporter=json", `--outputFile=${file}`]
    const { isEnded, stderr } = await run([vitest, ...args], { ...process.env, STORMGLASS_MUTANT: name })
    if (!isEnded) return { ...row, caughtBy: `nothing: no answer in ${suiteMillisMax / 1_000} s` }
    const unmade = edits.find((edit) => !stderr.includes(editedLine(name, edit.file)))
    if (unmade !== undefined) return { ...row, caughtBy: `nothing: the tests never loaded ${unmade.file}` }
    const tests = (JSON.parse(readFileSync(file, "utf8")) as Report).testResults.flatMap((it) => it.assertionResults)
    const failed = tests.find(({ status }) => status === "failed")
    if (failed !== undefined) return { ...row, isFound: true, caughtBy: `"${failed.title}"` }
    const passed = tests.filter(({ status }) => status === "passed").length
    return { ...row, caughtBy: `nothing: ${passed} tests passed` }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Node with these arguments at the root of the repository; not ended means that it had to be killed. */
function run(
  args: ReadonlyArray<string>,
  env: NodeJS.ProcessEnv
): Promise<{ readonly stderr: string; readonly isEnded: boolean }> {
  const options = {
    cwd: pathOf("."),
    env,
    encoding: "utf8",
    maxBuffer: 1 << 26,
    timeout: suiteMillisMax,
    killSignal: "SIGKILL"
  } as const
  return new Promise((done) => {
    execFile(process.execPath, args, options, (error, _stdout, stderr) =>
      done({ stderr, isEnded: error === null || error.killed !== true })
    )
  })
}
