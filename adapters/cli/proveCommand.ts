/**
 * `stormglass prove`: everything that may befall a small scenario, up to a bound, and what was shown by it.
 */
import type { MutantEdits } from "../../sim/host/installMutant.ts"
import { loadScenario } from "../../sim/host/loadScenario.ts"
import { catalogue } from "../../scenarios/catalogue.ts"
import { fromMicros } from "../../sim/nemesis/FaultPlan.ts"
import { isFailure, type RunRequest } from "../../sim/run/Verdict.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import { type Answer, type Bound, Exhaustive, type Finding } from "../../sim/search/Exhaustive.ts"
import { usual } from "../../sim/search/Scale.ts"
import { paint, Ticker } from "./Output.ts"
import * as Session from "./Session.ts"
import { showFound } from "./showFound.ts"
import { sweep } from "./Sweep.ts"
import { durationMicros, parseSeed, patienceMillis, requireJobs, UsageError } from "./Usage.ts"
import { exitCodeOf } from "./exitCodes.ts"

/** As typed: undefined where it was not. */
export interface ProveCommandOptions {
  readonly scenario: string
  readonly choices: number
  readonly until: string
  readonly within: string
  readonly seed: string | undefined
  readonly mutant: string | undefined
  /** Names, separated by commas. */
  readonly mutants: string | undefined
  readonly jobs: number
  readonly noShrink: boolean
  readonly patience: string | undefined
  readonly json: boolean
  readonly isStopped: () => boolean
  readonly print: (text: string) => void
}

/** What is to be tried, as far as it was asked for in words. */
interface Task {
  readonly options: ProveCommandOptions
  readonly reference: RunRequest
  readonly bound: Bound
  readonly jobs: number
}

/** The exit code: 0 nothing fails up to the bound; 1 something does, or it was not finished; 3 nondeterminism. */
export const proveCommand = async (options: ProveCommandOptions): Promise<number> => {
  const name = Session.requireScenario(options.scenario)
  if (options.choices < 1) throw new UsageError(`--choices ${options.choices}: at least 1 thing goes another way`)
  if (options.mutant !== undefined && options.mutants !== undefined) {
    throw new UsageError("--mutant and --mutants: give one")
  }
  const untilMicros = durationMicros("--until", options.until)
  const withinMicros = durationMicros("--within", options.within)
  const seed = options.seed === undefined ? "1" : parseSeed("--seed", options.seed)
  const jobs = requireJobs(options.jobs)
  const edits = options.mutant === undefined ? undefined : Session.findMutant(options.mutant)
  const mutants = options.mutants?.split(",").map(Session.findMutant)
  const { scale = usual } = await loadScenario(name, catalogue)
  const task: Task = {
    options,
    reference: { scenario: name, seed, strategy: "fifo", isCalm: true, plan: { version: 1, faults: [] } },
    bound: { choicesMax: options.choices, untilMicros, withinMicros, scale },
    jobs
  }
  return mutants === undefined ? proveOne(task, edits) : findEach(task, mutants)
}

async function proveOne(task: Task, edits: MutantEdits | undefined): Promise<number> {
  const { isStopped, json, noShrink, patience, print } = task.options
  const supervisor = Session.supervise(edits, task.jobs, patienceMillis(patience))
  try {
    const driven = await drive(task, supervisor)
    const { failure, isFinished, search, wallSeconds } = driven
    const document = {
      scenario: task.reference.scenario,
      seed: task.reference.seed,
      bound: task.bound,
      ...countsOf(search),
      wallSeconds
    }
    if (failure === undefined) {
      const told = { isProven: isFinished, ...document, failure: null }
      print(json ? JSON.stringify(told, null, 2) : screen(task, driven))
      return exitCodeOf(isFinished ? "done" : "found")
    }

    const found = await showFound(supervisor, failure.result, { edits, noShrink, isStopped })
    if (json) {
      const choices = failure.choices.map((choice) => choice.name)
      print(JSON.stringify({ isProven: false, ...document, failure: { choices, ...found.document } }, null, 2))
    } else {
      const runs = totalOf(search)
      print(found.screen)
      print(`\n${paint("red", "found")} by run ${runs}, in ${wallSeconds.toFixed(1)} s: ${madeBy(failure)}`)
    }
    return found.exitCode
  } finally {
    await supervisor.close()
  }
}

/** A line for each: how many runs it took, what it was that had to go another way, and what saw it. 0 when all are found. */
async function findEach(task: Task, mutants: ReadonlyArray<MutantEdits>): Promise<number> {
  const { isStopped, json, patience, print } = task.options
  const rows: Array<object> = []
  const width = Math.max(...mutants.map(({ name }) => name.length))
  let found = 0
  for (const mutant of mutants) {
    if (isStopped()) break
    const supervisor = Session.supervise(mutant, task.jobs, patienceMillis(patience))
    try {
      const { failure, search, wallSeconds } = await drive(task, supervisor)
      const verdict = failure?.result.verdict
      // What leaves the simulation or breaks it is no sight of the bug.
      const caughtBy =
        verdict?._tag === "violated" ? verdict.invariant : verdict?._tag === "stalled" ? "liveness" : undefined
      if (caughtBy !== undefined) found++
      const runs = totalOf(search)
      const choices = failure?.choices.map((choice) => choice.name) ?? null
      rows.push({
        mutant: mutant.name,
        isFound: caughtBy !== undefined,
        runs,
        seconds: wallSeconds,
        caughtBy: caughtBy ?? null,
        choices
      })
      const how =
        failure === undefined || caughtBy === undefined
          ? paint("red", verdict === undefined ? "not found" : `no invariant: it ${verdict._tag}`)
          : `${caughtBy}: ${madeBy(failure)}`
      if (!json)
        print(
          `${mutant.name.padEnd(width)}${String(runs).padStart(6)} runs${wallSeconds.toFixed(1).padStart(6)} s  ${how}`
        )
    } finally {
      await supervisor.close()
    }
  }
  print(json ? JSON.stringify(rows, null, 2) : `\n${found} of ${mutants.length} found`)
  return exitCodeOf(found === mutants.length ? "done" : "found")
}

function madeBy({ choices }: Finding): string {
  return choices.length === 0 ? "nothing need go wrong" : choices.map(({ name }) => name).join(" + ")
}

function totalOf({ runs }: Exhaustive): number {
  return runs.reduce((sum, count) => sum + count, 0)
}

interface Driven {
  readonly search: Exhaustive
  readonly failure: Finding | undefined
  /** False when it was told to stop. */
  readonly isFinished: boolean
  readonly wallSeconds: number
}

async function drive({ bound, jobs, options, reference }: Task, supervisor: Supervisor): Promise<Driven> {
  const { isStopped } = options
  const search = new Exhaustive(reference, bound)
  const started = performance.now()
  const ticker = new Ticker()
  const ended = (failure: Finding | undefined, isFinished: boolean): Driven => {
    ticker.end()
    return { search, failure, isFinished, wallSeconds: (performance.now() - started) / 1_000 }
  }
  const steps = search.steps()
  let runs = 0
  for (let next = steps.next(); ;) {
    if (next.done === true) return ended(next.value, true)
    const { choices, requests, wantsChoicePoints } = next.value
    let left = requests.length
    const answers = await sweep({
      supervisor,
      requests,
      wants: wantsChoicePoints ? "choice points" : "result",
      jobs,
      budgetMillis: undefined,
      untilFailure: true,
      isStopped,
      onResult: (result, _hostMillis, choicePoints): Answer => {
        left--
        runs++
        ticker.say((seconds) => {
          const made = `${choices} ${choices === 1 ? "thing" : "things"} at once`
          return `${runs} runs  ${(runs / seconds).toFixed(0)}/s  ${made}, ${left} of ${requests.length} to go`
        })
        return { result, choicePoints }
      }
    })
    const last = answers.at(-1)
    const isWhole = answers.length === requests.length || (last !== undefined && isFailure(last.result.verdict))
    if (!isWhole) {
      search.stopped(answers)
      return ended(undefined, false)
    }
    next = steps.next(answers)
  }
}

function countsOf({ different, idle, kinds, leftOut, planned, runs }: Exhaustive) {
  return { runs, planned, different, idle, kinds, leftOut }
}

function screen({ bound, reference }: Task, { isFinished, search, wallSeconds }: Driven): string {
  const { choicesMax, scale, untilMicros, withinMicros } = bound
  const { different, idle, kinds, leftOut, planned, runs } = search
  const [, alone = 0] = runs
  const width = Math.max(...Object.keys(kinds).map(({ length }) => length))
  const rows = Object.entries(kinds)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([kind, count]) => `${kind.padEnd(width)}${String(count).padStart(6)}`)
  const half = Math.ceil(rows.length / 2)
  const table = rows.slice(0, half).map((row, index) => `    ${row}    ${rows[half + index] ?? ""}`.trimEnd())
  const millis = (all: ReadonlyArray<number>) => all.map((one) => fromMicros(one * 1_000)).join(", ")
  const took = `${totalOf(search)} runs (${wallSeconds.toFixed(0)} s)`
  const jumps = [...new Set(scale.jumpMillis.map(Math.abs))]
  return [
    isFinished
      ? `${paint("green", "✓")} ${reference.scenario}: no violation in ${took}`
      : `${paint("red", "stopped")}: ${reference.scenario}, nothing had failed in ${took}; not everything was tried`,
    `  1 run without faults; before ${fromMicros(untilMicros)} of it, each thing by itself: ${alone === planned ? alone : `${alone} of ${planned}`}`,
    ...table,
    `    outages of ${millis(scale.outageMillis)}; delays of ${millis(scale.delayMillis)}; clocks off by ${millis(jumps)}`,
    ...Array.from(
      { length: choicesMax - 1 },
      (_, index) =>
        `  ${index + 2} at once, each within ${fromMicros(withinMicros)} of the one before: delays, and at most one outage of ${millis([scale.lastingMillis])}: ${runs[index + 2] ?? 0}`
    ),
    `  left out, as it cannot differ: ${Object.entries(leftOut)
      .map(([why, count]) => `${count} ${why}`)
      .join(", ")}`,
    `  ${different} different runs; in ${idle} no fault changed anything`
  ].join("\n")
}
