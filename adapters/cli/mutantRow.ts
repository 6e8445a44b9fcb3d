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
import { pathOf } from "../../sim/host/installMutant.ts"
import { exceptionsOnPglite } from "../../scenarios/mutants/exceptionsOnPglite.ts"
import type { Mutant, Suite } from "../../scenarios/mutants/Mutant.ts"
import type { DatabaseName } from "../../sim/storage/Databases.ts"
import { type RunResult, isFailure } from "../../sim/run/Verdict.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import { inFreshProcess } from "./inFreshProcess.ts"
import { editedLine } from "./mutantPlugin.ts"
import { paint } from "./Output.ts"
import * as Session from "./Session.ts"
import { sweep } from "./Sweep.ts"
import { parseSeeds } from "./Usage.ts"

export interface MutantRow {
  readonly mutant: string
  readonly incident: string
  /** Caught by what should catch it, and again where it can be replayed. */
  readonly isFound: boolean
  /** How many it took; null where tests find it. */
  readonly seeds: number | null
  /** The scenario, or the file of the tests. */
  readonly where: string | null
  readonly caughtBy: string
}

export interface Search {
  /** At most so many. */
  readonly seeds: number
  readonly storage: DatabaseName
  readonly jobs: number
  readonly isStopped: () => boolean
}

/** Whether the mutant is looked for with this database: a suite has its own, whatever scenarios run on. */
export const concerns = ({ name, suite }: Mutant, storage: DatabaseName): boolean =>
  storage === "model" || (suite === undefined && exceptionsOnPglite[name] === undefined)

export const mutantRow = (mutant: Mutant, search: Search): Promise<MutantRow> =>
  mutant.suite === undefined ? rowOfScenarios(mutant, search) : rowOfSuite(Session.requireFit(mutant), mutant.suite)

export const mutantLine = ({ caughtBy, incident, isFound, mutant, seeds, where }: MutantRow): string => {
  const how = `${seeds === null ? "       suite" : `${String(seeds).padStart(6)} seeds`}  ${caughtBy}${where === null ? "" : ` in ${where}`}`
  return `${mutant.padEnd(44)}${isFound ? how : paint("red", how)}  ${paint("dim", incident)}`
}

/** The scenarios of the catalogue, seed after seed, up to the first failure: what ran, in order. */
export const untilFound = (
  supervisor: Supervisor,
  { isStopped, jobs, seeds: seedsMax, storage }: Search
): Promise<ReadonlyArray<RunResult>> => {
  const scenarios = Session.scenarioNames.filter((name) => !name.startsWith("example/"))
  const seeds = parseSeeds(String(Math.ceil(seedsMax / scenarios.length)))
  const requests = Session.requestsOf(scenarios, seeds, { strategy: "random", storage }).slice(0, seedsMax)
  const onResult = (result: RunResult) => result
  return sweep({ supervisor, requests, jobs, budgetMillis: undefined, untilFailure: true, onResult, isStopped })
}

async function rowOfScenarios(mutant: Mutant, search: Search): Promise<MutantRow> {
  const supervisor = Session.supervise(Session.requireFit(mutant), search.jobs)
  try {
    return judged(mutant, await untilFound(supervisor, search))
  } finally {
    await supervisor.close()
  }
}

function judged({ incident, name }: Mutant, results: ReadonlyArray<RunResult>): MutantRow {
  const index = results.findIndex(({ verdict }) => isFailure(verdict))
  const failure = results[index]
  if (failure === undefined) {
    return { mutant: name, incident, isFound: false, seeds: results.length, where: null, caughtBy: "nothing" }
  }
  const { request, verdict } = failure
  const row = { mutant: name, incident, seeds: index + 1, where: request.scenario }
  if (verdict._tag !== "violated" && verdict._tag !== "stalled") {
    return { ...row, isFound: false, caughtBy: `no invariant: it ${verdict._tag}` }
  }
  const line = [
    "replay",
    request.scenario,
    "--seed",
    request.seed,
    "--storage",
    request.storage ?? "model",
    "--mutant",
    name,
    "--json"
  ]
  const again = JSON.parse(inFreshProcess(line, [0, 1, 3])) as RunResult
  const caughtBy = verdict._tag === "violated" ? verdict.invariant : "liveness"
  const isSame = again.digest === failure.digest && again.verdict._tag === verdict._tag
  return { ...row, isFound: isSame, caughtBy: isSame ? caughtBy : `${caughtBy}, but its replay differs` }
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
  const row = { mutant: name, incident, seeds: null, where: suite.file, isFound: false }
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
