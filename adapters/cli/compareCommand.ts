/**
 * `stormglass compare`: the same seeds and plans on the versions that are installed and on others, side by side.
 */
import { createHash } from "node:crypto"
import type { OtherVersion } from "../../sim/host/installVersions.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import type { StrategyName } from "../../sim/kernel/Schedule.ts"
import { isFailure, type RunRequest, type RunResult, type Verdict } from "../../sim/run/Verdict.ts"
import { exitCodeOf } from "./exitCodes.ts"
import { installedOf, parseVersions } from "./otherVersions.ts"
import { paint, Progress } from "./Output.ts"
import * as Session from "./Session.ts"
import { type Found, showFound } from "./showFound.ts"
import { sweep } from "./Sweep.ts"
import { parseSeeds, patienceMillis, requireJobs, UsageError } from "./Usage.ts"

/** As typed: undefined where it was not. */
export interface CompareCommandOptions {
  readonly scenario: string
  readonly with: ReadonlyArray<string>
  readonly seeds: string
  readonly plan: string | undefined
  readonly strategy: StrategyName
  readonly jobs: number
  readonly noShrink: boolean
  readonly patience: string | undefined
  readonly json: boolean
  readonly isStopped: () => boolean
  readonly print: (text: string) => void
}

/** One side: which versions, and what came of its runs. */
export interface Side {
  /** "effect 4.1.0". */
  readonly versions: ReadonlyArray<string>
  /** In the order of the seeds. */
  readonly runs: ReadonlyArray<Run>
}

export interface Run {
  readonly seed: string
  readonly digest: string
  readonly verdict: Verdict
}

/** What both sides come to, for machines and for the table. */
export interface SideSummary {
  readonly versions: ReadonlyArray<string>
  readonly runs: number
  readonly failed: number
  /** By invariant, or by what else it was: how many. */
  readonly failures: Readonly<Record<string, number>>
  readonly seedFirst: string | null
  /** Of all digests in their order. */
  readonly digest: string
}

export const summaryOf = ({ runs, versions }: Side): SideSummary => {
  const failed = runs.filter(({ verdict }) => isFailure(verdict))
  const failures: Record<string, number> = {}
  for (const { verdict } of failed) failures[kindOf(verdict)] = (failures[kindOf(verdict)] ?? 0) + 1
  const digest = createHash("sha256").update(runs.map((run) => run.digest).join("\n"))
  return {
    versions,
    runs: runs.length,
    failed: failed.length,
    failures,
    seedFirst: failed[0]?.seed ?? null,
    digest: digest.digest("hex").slice(0, 16)
  }
}

/** How many seeds fail on one side and pass on the other. */
export const differenceOf = (other: Side, installed: Side) => {
  const failing = ({ runs }: Side) => new Set(runs.filter(({ verdict }) => isFailure(verdict)).map(({ seed }) => seed))
  const [there, here] = [failing(other), failing(installed)]
  return {
    onlyOther: there.difference(here).size,
    onlyInstalled: here.difference(there).size,
    both: here.intersection(there).size
  }
}

/** A line for each row: a name, and a cell for each side. */
export const comparisonTable = (sides: ReadonlyArray<SideSummary>): ReadonlyArray<string> => {
  const kinds = [...new Set(sides.flatMap(({ failures }) => Object.keys(failures)))].toSorted()
  const rows: ReadonlyArray<readonly [string, (side: SideSummary) => string]> = [
    ["", ({ versions }) => versions.join(", ")],
    ["runs", ({ runs }) => String(runs)],
    ["failed", ({ failed }) => String(failed)],
    ...kinds.map((kind) => [`  ${kind}`, ({ failures }: SideSummary) => String(failures[kind] ?? 0)] as const),
    ["first seed that fails", ({ seedFirst }) => seedFirst ?? "-"],
    ["digest of all runs", ({ digest }) => digest]
  ]
  const nameWidth = Math.max(...rows.map(([name]) => name.length))
  const widths = sides.map((side) => Math.max(...rows.map(([, cell]) => cell(side).length)))
  return rows.map(([name, cell]) =>
    [name.padEnd(nameWidth), ...sides.map((side, nth) => cell(side).padStart(widths[nth] as number))].join("   ")
  )
}

/** The exit code: 0 nothing failed on either side, 1 something did, 3 it is not deterministic. */
export const compareCommand = async (options: CompareCommandOptions): Promise<number> => {
  const scenario = Session.requireScenario(options.scenario)
  if (options.with.length === 0) throw new UsageError("compare: say --with which version, as effect=effect-beta")
  const others = parseVersions(options.with)
  const names = others.map(({ name, version }) => `${name} ${version}`)
  const installedNames = others.map(({ alias, name }) => `${name} ${installedOf(name, `--with ${name}=${alias}`)}`)
  const plan = options.plan === undefined ? undefined : Session.readPlan(options.plan)
  const { strategy } = options
  const drawn = Session.requestsOf([scenario], parseSeeds(options.seeds), { strategy, plan })

  const jobs = requireJobs(options.jobs)
  const supervise = (versions: ReadonlyArray<OtherVersion>) =>
    Session.supervise(undefined, jobs, patienceMillis(options.patience), versions)
  const [there, here] = [supervise(others), supervise([])]
  try {
    const installed = await runSide(options, here, drawn)
    // What was drawn here is given there: the same plans and parameters, whatever the other version would draw.
    const other = await runSide(options, there, installed.map(givenOf))
    const sides = [
      { versions: names, runs: other.map(runOf) },
      { versions: installedNames, runs: installed.map(runOf) }
    ] as const
    const found = [await foundOn(options, there, other, others), await foundOn(options, here, installed, [])]
    return report(options, { scenario, sides, found, asked: drawn.length })
  } finally {
    await Promise.all([there.close(), here.close()])
  }
}

interface Comparison {
  readonly scenario: string
  readonly sides: readonly [other: Side, installed: Side]
  /** What each side's first failure came to. */
  readonly found: ReadonlyArray<Found | undefined>
  /** How many runs of each side were asked for. */
  readonly asked: number
}

function report(options: CompareCommandOptions, { asked, found, scenario, sides }: Comparison): number {
  const { json, print, strategy } = options
  const [other, installed] = sides
  const summaries = sides.map(summaryOf)
  const difference = differenceOf(other, installed)
  const notCompared = asked - other.runs.length
  const exitCode = Math.max(
    exitCodeOf(notCompared === asked ? "found" : "done"),
    ...found.map((one) => one?.exitCode ?? 0)
  )
  if (json) {
    const both = summaries.map((summary, nth) => ({ ...summary, failure: found[nth]?.document ?? null }))
    print(JSON.stringify({ scenario, strategy, sides: both, ...difference, notCompared }, null, 2))
    return exitCode
  }
  for (const [nth, one] of found.entries()) {
    if (one !== undefined) print(`${paint("bold", `On ${summaries[nth]?.versions.join(", ")}`)}\n${one.screen}\n`)
  }
  const [head = "", ...rows] = comparisonTable(summaries)
  print(`${paint("bold", `${scenario}, the same plans on both sides`)}\n${paint("bold", head)}\n${rows.join("\n")}`)
  print(`\n${differenceLine(difference, other.versions.join(", "), installed.versions.join(", "))}`)
  if (notCompared > 0) print(paint("red", `stopped: ${notCompared} of ${asked} seeds were not compared`))
  return exitCode
}

/** Fewer where it was told to stop. */
async function runSide(
  options: CompareCommandOptions,
  supervisor: Supervisor,
  requests: ReadonlyArray<RunRequest>
): Promise<ReadonlyArray<RunResult>> {
  const progress = new Progress(requests.length)
  let done = 0
  try {
    return await sweep({
      supervisor,
      requests,
      wants: "plan",
      jobs: options.jobs,
      budgetMillis: undefined,
      isStopped: options.isStopped,
      onResult: (result) => {
        progress.advance(result, ++done)
        return result
      }
    })
  } finally {
    progress.end()
  }
}

/** Its first failure, saved and made small. */
async function foundOn(
  { isStopped, noShrink }: CompareCommandOptions,
  supervisor: Supervisor,
  results: ReadonlyArray<RunResult>,
  versions: ReadonlyArray<OtherVersion>
): Promise<Found | undefined> {
  const failure = results.find(({ verdict }) => isFailure(verdict))
  return failure && (await showFound(supervisor, failure, { edits: undefined, versions, noShrink, isStopped }))
}

/** The request again, with what its seed made of it. */
function givenOf({ parameters, plan, request }: RunResult): RunRequest {
  return { ...request, parameters, ...(plan === undefined ? {} : { plan }) }
}

function runOf({ digest, request, verdict }: RunResult): Run {
  return { seed: request.seed, digest, verdict }
}

function kindOf(verdict: Verdict): string {
  return verdict._tag === "violated" ? verdict.invariant : verdict._tag
}

function differenceLine(
  { both, onlyInstalled, onlyOther }: ReturnType<typeof differenceOf>,
  other: string,
  installed: string
): string {
  if (both + onlyInstalled + onlyOther === 0) return paint("green", "no seed fails on either side")
  return `seeds that fail on ${other} only: ${onlyOther}; on ${installed} only: ${onlyInstalled}; on both: ${both}`
}
