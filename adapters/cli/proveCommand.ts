/**
 * `stormglass prove`: everything that may befall a small scenario, up to a bound, and what was shown by it.
 */
import { loadScenario } from "../../sim/host/loadScenario.ts"
import { catalogue } from "../../scenarios/catalogue.ts"
import { fromMicros } from "../../sim/nemesis/FaultPlan.ts"
import { isFailure, type RunRequest } from "../../sim/run/Verdict.ts"
import { type Scale, usual } from "../../sim/search/Scale.ts"
import { paint, Ticker } from "./Output.ts"
import { type Proof, prove } from "./Proof.ts"
import * as Session from "./Session.ts"
import { makeSmall, smallDocument } from "./shrinkCommand.ts"
import { durationMicros, parseSeed, patienceMillis, requireJobs, UsageError } from "./Usage.ts"

const shrinkMillis = 20_000

/** As typed: undefined where it was not. */
export interface ProveCommandOptions {
  readonly scenario: string
  readonly choices: number
  readonly until: string
  readonly within: string
  readonly seed: string | undefined
  readonly mutant: string | undefined
  readonly jobs: number
  readonly noShrink: boolean
  readonly patience: string | undefined
  readonly json: boolean
  readonly isStopped: () => boolean
  readonly print: (text: string) => void
}

/** The exit code: 0 nothing fails up to the bound; 1 something does, or it was not finished; 3 nondeterminism. */
export const proveCommand = async (options: ProveCommandOptions): Promise<number> => {
  const { isStopped, json, print } = options
  const name = Session.requireScenario(options.scenario)
  if (options.choices !== 1 && options.choices !== 2) {
    throw new UsageError(`--choices ${options.choices}: one run makes 1 or 2 of them`)
  }
  const untilMicros = durationMicros("--until", options.until)
  const withinMicros = durationMicros("--within", options.within)
  const seed = options.seed === undefined ? "1" : parseSeed("--seed", options.seed)
  const edits = options.mutant === undefined ? undefined : Session.findMutant(options.mutant)
  const jobs = requireJobs(options.jobs)
  const scenario = await loadScenario(name, catalogue)
  const { scale = usual } = scenario
  const reference: RunRequest = {
    scenario: name,
    seed,
    strategy: "fifo",
    isCalm: true,
    plan: { version: 1, faults: [] }
  }
  const supervisor = Session.supervise(edits, jobs, patienceMillis(options.patience))
  const ticker = new Ticker()
  const started = performance.now()
  try {
    const proof = await prove({
      supervisor,
      reference,
      scale,
      choicesMax: options.choices,
      untilMicros,
      withinMicros,
      jobs,
      isStopped,
      onRun: ({ doing, left, runs }) =>
        ticker.say((seconds) => `${runs} runs with ${doing}  ${(runs / seconds).toFixed(0)}/s  ${left} to go`)
    })
    ticker.end()
    const wallSeconds = (performance.now() - started) / 1_000
    const bound = { choices: options.choices, untilMicros, withinMicros, scale }
    const { failure } = proof
    if (failure === undefined) {
      const document = {
        isProven: proof.isFinished,
        scenario: name,
        seed,
        bound,
        ...counts(proof),
        wallSeconds,
        failure: null
      }
      print(json ? JSON.stringify(document, null, 2) : screen(name, proof, bound, wallSeconds))
      return proof.isFinished ? 0 : 1
    }

    const { result } = failure
    const saved = Session.saveFailure(result, edits)
    const replay = saved.file === undefined ? "" : `npx stormglass replay ${saved.file}`
    const shown = await Session.showFailure(supervisor, result, { replay, file: undefined })
    const isMade = !options.noShrink && shown.isSame === true && !isStopped()
    const small = isMade
      ? await makeSmall({
          supervisor,
          failure: result,
          edits,
          file: saved.file ?? Session.failurePath(result.request, edits?.name),
          isSaved: saved.file !== undefined,
          origin: replay,
          budgetMillis: shrinkMillis,
          isStopped
        })
      : undefined
    const choices = failure.choices.map((choice) => choice.name)
    if (json) {
      const found = {
        choices,
        verdict: result.verdict,
        digest: result.digest,
        isDigestEqual: shown.isSame ?? null,
        small: small === undefined ? null : smallDocument(small),
        file: saved.file ?? null
      }
      const document = { isProven: false, scenario: name, seed, bound, ...counts(proof), wallSeconds, failure: found }
      print(JSON.stringify(document, null, 2))
    } else {
      print(small?.again.screen ?? shown.screen)
      const after = `after ${proof.runs + 1} ${proof.runs === 0 ? "run" : "runs"} in ${wallSeconds.toFixed(1)} s`
      print(
        `\n${paint("red", "found")} ${after}: ${choices.length === 0 ? "nothing need go wrong for it" : choices.join(" + ")}`
      )
    }
    if (saved.problem !== undefined) process.stderr.write(`not saved: ${saved.problem}\n`)
    const isNondeterministic = [shown.isSame, small?.again.isSame].includes(false) || result.verdict._tag === "escaped"
    return isNondeterministic ? 3 : isFailure(result.verdict) ? 1 : 0
  } finally {
    ticker.end()
    await supervisor.close()
  }
}

interface Bound {
  readonly choices: number
  readonly untilMicros: number
  readonly withinMicros: number
  readonly scale: Scale
}

function counts({ digests, firsts, idle, leftOut, pairs, runs, singles }: Proof) {
  return { runs, digests, idle, singles, firsts, pairs, leftOut }
}

function screen(name: string, proof: Proof, bound: Bound, wallSeconds: number): string {
  const { digests, firsts, idle, leftOut, pairs, runs, singles } = proof
  const { scale } = bound
  const total = Object.values(singles).reduce((sum, count) => sum + count, 0)
  const until = fromMicros(bound.untilMicros)
  const width = Math.max(...Object.keys(singles).map(({ length }) => length))
  const rows = Object.entries(singles)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([kind, count]) => `${kind.padEnd(width)}${String(count).padStart(6)}`)
  const half = Math.ceil(rows.length / 2)
  const table = rows.slice(0, half).map((row, index) => `    ${row}    ${rows[half + index] ?? ""}`.trimEnd())
  const millis = (all: ReadonlyArray<number>) => all.map((one) => fromMicros(one * 1_000)).join(", ")
  const head = proof.isFinished
    ? `${paint("green", "✓")} ${name}: no violation in ${runs} runs (${wallSeconds.toFixed(0)} s)`
    : `${paint("red", "stopped")}: ${name}, nothing had failed in ${runs} runs (${wallSeconds.toFixed(0)} s); not everything was tried`
  return [
    head,
    `  every single choice before ${until} of the run without faults: ${total}`,
    ...table,
    `    outages of ${millis(scale.outageMillis)}; messages late by ${millis(scale.delayMillis)}; clocks off by ${millis(scale.jumpMillis.map(Math.abs))}`,
    ...(bound.choices < 2
      ? []
      : [
          `  every pair of an outage of ${millis([scale.lastingMillis])} or something late, and something late (or the outage) within ${fromMicros(bound.withinMicros)}: ${pairs}`,
          `    after ${firsts} first ones`
        ]),
    `  left out, for it cannot differ: ${Object.entries(leftOut)
      .map(([why, count]) => `${count} ${why}`)
      .join(", ")}`,
    `  ${digests} different runs; in ${idle} no fault changed anything`
  ].join("\n")
}
