/**
 * `stormglass run`: scenarios over seeds, alone or as a campaign that is kept in a store.
 */
import type { MutantEdits } from "../../sim/host/installMutant.ts"
import type { Supervisor } from "../../sim/host/Supervisor.ts"
import type { StrategyName } from "../../sim/kernel/Schedule.ts"
import { commonKinds } from "../../sim/nemesis/faultKinds.ts"
import type { FaultPlan } from "../../sim/nemesis/FaultPlan.ts"
import { isFailure, type RunRequest, type RunResult } from "../../sim/run/Verdict.ts"
import { violationOf } from "../../sim/shrink/violationOf.ts"
import type { DatabaseName } from "../../sim/storage/Databases.ts"
import type { Campaign } from "./campaign/Campaign.ts"
import { byLength, type CampaignRun, fromResult, keyOf } from "./campaign/CampaignRun.ts"
import { type FailureGroup, groupFailures, type SmallCase } from "./campaign/groupFailures.ts"
import { groupDocument, groupTable } from "./campaign/groupTable.ts"
import { mergeRuns } from "./campaign/mergeRuns.ts"
import { hashOf, programHash } from "./campaign/programHash.ts"
import { runLine, smallLine } from "./campaign/readStore.ts"
import { parseShard, partOf } from "./campaign/Shard.ts"
import { conflictLines, lossLine } from "./campaign/storeReport.ts"
import { StoreFile } from "./campaign/StoreFile.ts"
import { summarize, virtualSecondsOf } from "./campaign/Summary.ts"
import { coldMarks } from "./declaredMarks.ts"
import { effectTable, paint, Progress, type Speed, totals, verdictTable } from "./Output.ts"
import * as Session from "./Session.ts"
import { makeSmall, type Small, smallDocument } from "./shrinkCommand.ts"
import { versions } from "../../reports/saveFailure.ts"
import { sweep } from "./Sweep.ts"
import {
  durationMicros,
  parseSeed,
  parseSeeds,
  patienceMillis,
  requireJobs,
  seedOfEnvironment,
  UsageError
} from "./Usage.ts"
import { exitCodeOf } from "./exitCodes.ts"

const seedsPerScenarioDefault = 16
const seedsPerMutantDefault = 500
const screensMax = 3
/** For each failure that is shown. */
const shrinkMillis = 20_000

/** As typed: undefined where it was not. */
export interface SweepCommandOptions {
  readonly scenarios: ReadonlyArray<string>
  readonly seeds: string | undefined
  readonly seed: string | undefined
  readonly jobs: number
  readonly budget: string | undefined
  readonly minEffects: number
  readonly mutant: string | undefined
  readonly plan: string | undefined
  readonly strategy: StrategyName
  readonly storage: DatabaseName
  readonly store: string | undefined
  readonly shard: string | undefined
  readonly noShrink: boolean
  readonly patience: string | undefined
  readonly json: boolean
  readonly isStopped: () => boolean
  /** Who told it to stop. */
  readonly stopSignal: () => string | undefined
  readonly print: (text: string) => void
}

/** What is to be run, as far as it was asked for in words. */
interface Task {
  readonly options: SweepCommandOptions
  readonly scenarios: ReadonlyArray<string>
  readonly edits: MutantEdits | undefined
  readonly plan: FaultPlan | undefined
  readonly requests: ReadonlyArray<RunRequest>
  /** Every scenario over a range of seeds, as they are: every mark of the control plane should be met. */
  readonly isWhole: boolean
  /** Of one seed nothing is expected besides. */
  readonly isOneSeed: boolean
  readonly budgetMillis: number | undefined
  readonly untilFailure: boolean
}

/** What came of it. */
interface Outcome {
  /** One for each request that was run by now, in their order, those of the store included. */
  readonly runs: ReadonlyArray<CampaignRun>
  /** How many of them were in the store. */
  readonly known: number
  readonly conflicts: ReadonlyArray<ReadonlyArray<CampaignRun>>
  readonly unsaved: ReadonlyArray<string>
  /** Whole, by key: of failures of this session, the one of each violation that is over soonest. */
  readonly kept: ReadonlyMap<string, RunResult>
  readonly wallSeconds: number
  /** Of the runs of this session. */
  readonly fresh: { readonly runs: number; readonly virtualSeconds: number }
}

/** A failure that is shown whole. */
interface Shown {
  readonly again: Session.Again
  /** Undefined where it was not made small. */
  readonly small: Small | undefined
}

/** The exit code: 0 all passed; 1 a failure, or something was not met, or nothing ran; 3 nondeterminism. */
export const sweepCommand = async (options: SweepCommandOptions): Promise<number> => {
  const task = taskOf(options)
  const store = options.store === undefined ? undefined : StoreFile.open(options.store, campaignOf(task))
  try {
    const supervisor = Session.supervise(task.edits, requireJobs(options.jobs), patienceMillis(options.patience))
    try {
      return await report(task, store, supervisor, await runAll(task, store, supervisor))
    } finally {
      await supervisor.close()
    }
  } finally {
    store?.close()
  }
}

function taskOf(options: SweepCommandOptions): Task {
  const scenarios = Session.requireScenarios(options.scenarios)
  const edits = options.mutant === undefined ? undefined : Session.findMutant(options.mutant)
  if (options.seed !== undefined && options.seeds !== undefined) throw new UsageError("--seed and --seeds: give one")
  // What was typed comes before the environment, whichever of the two it was.
  const typed = options.seed === undefined ? undefined : parseSeed("--seed", options.seed)
  const seed = typed ?? (options.seeds === undefined ? seedOfEnvironment() : undefined)
  const range = options.seeds ?? process.env["STORMGLASS_SEEDS"]
  const rangeDefault = String(edits === undefined ? seedsPerScenarioDefault : seedsPerMutantDefault)
  const seeds = seed === undefined ? parseSeeds(range ?? rangeDefault) : [seed]
  if (options.minEffects < 0) throw new UsageError(`--min-effects: ${options.minEffects} is less than none`)
  const plan = options.plan === undefined ? undefined : Session.readPlan(options.plan)
  const shard = options.shard === undefined ? undefined : parseShard(options.shard)
  const all = Session.requestsOf(scenarios, seeds, { strategy: options.strategy, storage: options.storage, plan })
  const requests = shard === undefined ? all : partOf(all, scenarios.length, shard)
  if (requests.length === 0) {
    throw new UsageError(`--shard ${options.shard}: there are only ${all.length} runs, and none is in this part`)
  }
  return {
    options,
    scenarios,
    edits,
    plan,
    requests,
    isWhole:
      options.scenarios.length === 0 &&
      edits === undefined &&
      plan === undefined &&
      seed === undefined &&
      shard === undefined &&
      // On PGlite a few seeds are a sample: every mark is met on the model.
      options.storage === "model",
    isOneSeed: seed !== undefined,
    budgetMillis: options.budget === undefined ? undefined : durationMicros("--budget", options.budget) / 1_000,
    // A store is there to know of every run.
    untilFailure: edits !== undefined && options.store === undefined
  }
}

function campaignOf({ edits, options, plan, scenarios }: Task): Campaign {
  return {
    _tag: "Campaign",
    version: 1,
    versions: versions(),
    program: programHash(scenarios, options.storage),
    scenarios: [...new Set(scenarios)],
    strategy: options.strategy,
    storage: options.storage,
    plan: plan === undefined ? null : { file: options.plan as string, hash: hashOf(plan) },
    mutant: edits === undefined ? null : { name: options.mutant as string, hash: hashOf(edits.edits) }
  }
}

async function runAll(task: Task, store: StoreFile | undefined, supervisor: Supervisor): Promise<Outcome> {
  const { edits, options, requests } = task
  const wanted = new Set(requests.map(keyOf))
  const { conflicts, runs: stored } = mergeRuns((store?.before.runs ?? []).filter((run) => wanted.has(keyOf(run))))
  const byKey = new Map(stored.map((run) => [keyOf(run), run]))
  const pending = requests.filter((request) => !byKey.has(keyOf(request)))
  const progress = new Progress(pending.length)
  const started = performance.now()
  const unsaved: Array<string> = []
  const kept = new Map<string, RunResult>()
  const soonest = new Map<string, CampaignRun>()
  const keep = (run: CampaignRun, result: RunResult): void => {
    const before = soonest.get(run.violation)
    // Which is the first one is known when all are back.
    if (!task.untilFailure && before !== undefined) {
      if (byLength(before, run) <= 0) return
      kept.delete(keyOf(before))
    }
    soonest.set(run.violation, run)
    kept.set(keyOf(run), result)
  }
  const save = (result: RunResult): string | undefined => {
    const { file, problem } = Session.saveFailure(result, edits)
    if (problem !== undefined) unsaved.push(problem)
    return file
  }
  let done = 0
  const ended = await sweep({
    supervisor,
    requests: pending,
    jobs: options.jobs,
    budgetMillis: task.budgetMillis,
    untilFailure: task.untilFailure,
    onResult: (result, hostMillis) => {
      // At once, as it may be killed; where only the first failure counts, what failed beside it leaves no file.
      const file = isFailure(result.verdict) && !task.untilFailure ? save(result) : undefined
      const run = fromResult(result, hostMillis, file)
      store?.append(runLine(run))
      if (isFailure(result.verdict)) keep(run, result)
      progress.advance(result, ++done)
      return run
    },
    // Runs that could not be kept need not be made.
    isStopped: () => options.isStopped() || store?.problem !== undefined
  })
  progress.end()
  const fresh = ended.map((run) => {
    const failure = task.untilFailure ? kept.get(keyOf(run)) : undefined
    const file = failure === undefined ? undefined : save(failure)
    return file === undefined ? run : { ...run, file }
  })
  for (const run of fresh) byKey.set(keyOf(run), run)
  return {
    runs: requests.flatMap((request) => byKey.get(keyOf(request)) ?? []),
    known: stored.length,
    conflicts,
    unsaved,
    kept,
    wallSeconds: (performance.now() - started) / 1_000,
    fresh: { runs: fresh.length, virtualSeconds: virtualSecondsOf(fresh) }
  }
}

async function report(
  task: Task,
  store: StoreFile | undefined,
  supervisor: Supervisor,
  outcome: Outcome
): Promise<number> {
  const { edits, isOneSeed, isWhole, options, plan, requests } = task
  const { print } = options
  const { conflicts, runs, unsaved } = outcome
  const summary = summarize(runs, [...new Set(task.scenarios)])
  const failures = runs.filter(({ verdict }) => isFailure(verdict))
  const rare = commonKinds
    .filter(({ name }) => (summary.effects[name] ?? 0) < options.minEffects)
    .map(({ name }) => name)
  // One scenario, one seed or a plan need not meet every mark: said, and no failure. What ends at its first failure says nothing.
  const isTold = isWhole || (edits === undefined && !isOneSeed && options.shard === undefined)
  const cold = isTold ? coldMarks(summary, isWhole) : []
  const lacking = isWhole ? cold.length : 0

  const knownSmalls = store?.before.smalls ?? []
  const shown = await showAll(task, supervisor, outcome, groupFailures(failures, knownSmalls))
  const smalls = [...shown.values()].flatMap(({ small }) => (small === undefined ? [] : [smallCaseOf(small)]))
  for (const small of smalls) store?.append(smallLine(small))
  const groups = groupFailures(failures, [...knownSmalls, ...smalls])

  // What ran nothing has shown nothing.
  const isFailed = runs.length === 0 || failures.length > 0 || rare.length > 0 || lacking > 0
  const reruns = [...shown.values()].flatMap(({ again, small }) => [
    again,
    ...(small === undefined ? [] : [small.again])
  ])
  const isNondeterministic =
    failures.some(({ verdict }) => verdict._tag === "escaped") ||
    reruns.some(({ isSame }) => isSame === false) ||
    conflicts.length > 0
  const isFound = isFailed || store?.problem !== undefined
  const exitCode = exitCodeOf(isNondeterministic ? "nondeterministic" : isFound ? "found" : "done")

  const replayLine = (run: CampaignRun) =>
    Session.replayLine(requestOf(task, run), { mutant: options.mutant, plan: options.plan })
  const loss = store === undefined ? undefined : lossLine(store.path, store.before.lost)
  const asides = [
    ...(loss === undefined ? [] : [loss]),
    ...conflictLines(conflicts),
    ...(unsaved.length === 0 ? [] : [unsavedLine(unsaved)]),
    ...(store?.problem === undefined
      ? []
      : [`the store is not kept any more, and nothing else was begun: ${store.problem}`])
  ]
  const speed = speedOf(outcome)
  if (options.json) {
    const failed = failures.map((run) => ({
      scenario: run.scenario,
      seed: run.seed,
      verdict: run.verdict,
      digest: run.digest,
      /** Null where it was not run again. */
      isDigestEqual: shown.get(keyOf(run))?.again.isSame ?? null,
      /** Null where it was not made small. */
      small: documentOf(shown.get(keyOf(run))),
      /** Null where it could not be written. */
      file: run.file ?? null,
      replay: replayLine(run)
    }))
    const document = {
      ...summary,
      ...speed,
      failed: summary.failed + lacking,
      notBegun: requests.length - runs.length,
      rare,
      cold,
      failures: failed,
      groups: groups.map((group) => groupDocument(group, replayLine)),
      /** Null where there is none. */
      store: store === undefined ? null : { file: store.path, known: outcome.known, lost: store.before.lost }
    }
    print(JSON.stringify(document, null, 2))
    for (const line of asides) process.stderr.write(`${line}\n`)
    return exitCode
  }
  for (const { again, small } of shown.values()) print(`${small?.again.screen ?? again.screen}\n`)
  if (failures.length > shown.size) print(`${groupTable(groups, replayLine).join("\n")}\n`)
  if (runs.length === 0) {
    for (const line of asides) print(paint("red", line))
    print(paint("red", options.isStopped() ? "nothing ran" : `nothing ran within the budget of ${options.budget}`))
    return exitCode
  }
  print(verdictTable(summary))
  // A fact that nobody tells is waited for in vain, and any program may tell its own: that nothing came of it must show.
  const isPlanned = (kind: string) => plan?.faults.some(({ fault }) => fault === kind) ?? false
  const effects = effectTable(summary.effects, (kind) => isWhole || isPlanned(kind))
  if (effects !== "") print(`\n${paint("bold", "Faults that took effect")}\n${effects}`)
  if (cold.length > 0) print(`\n${paint(isWhole ? "red" : "bold", "Marks that no run met")}\n  ${cold.join("\n  ")}`)
  if (rare.length > 0) print(`\nless than ${options.minEffects} times: ${rare.join(", ")}`)
  if (asides.length > 0) print(`\n${asides.map((line) => paint("red", line)).join("\n")}`)
  const notBegun = task.untilFailure && failures.length > 0 ? 0 : requests.length - runs.length
  const last = conclusions(options, { cold: lacking, rare: rare.length, notBegun })
  const known = outcome.known === 0 ? [] : [`${outcome.known} of these runs were in the store`]
  print(`\n${[totals(summary, speed), ...known, ...last].join("\n")}`)
  return exitCode
}

/** The failure of each group that is over soonest, run again for its screen, and made small where no other of the group was. */
async function showAll(
  task: Task,
  supervisor: Supervisor,
  { kept }: Outcome,
  groups: ReadonlyArray<FailureGroup>
): Promise<ReadonlyMap<string, Shown>> {
  const { edits, options } = task
  const { isStopped } = options
  const shown = new Map<string, Shown>()
  for (const { fastest, smalls } of groups) {
    const failure = kept.get(keyOf(fastest))
    // What was in the store has been shown when it was found.
    if (failure === undefined || shown.size >= screensMax) continue
    const origin = Session.replayLine(failure.request, { mutant: options.mutant, plan: options.plan })
    const again = await Session.showFailure(supervisor, failure, { replay: origin, file: fastest.file })
    // Of what is not deterministic, or never came back, nothing can be taken away one by one.
    const isLeft = options.noShrink || again.isSame !== true || smalls.length > 0 || isStopped()
    const file = fastest.file ?? Session.failurePath(failure.request, edits?.name)
    const isSaved = fastest.file !== undefined
    const how = { supervisor, failure, edits, file, isSaved, origin, budgetMillis: shrinkMillis, isStopped }
    shown.set(keyOf(fastest), { again, small: isLeft ? undefined : await makeSmall(how) })
  }
  return shown
}

function requestOf({ options, plan }: Task, { scenario, seed }: CampaignRun): RunRequest {
  const [request] = Session.requestsOf([scenario], [seed], { ...options, plan })
  return request as RunRequest
}

function smallCaseOf({ saved, shrunk: { after, best } }: Small): SmallCase {
  return {
    scenario: best.request.scenario,
    seed: best.request.seed,
    violation: violationOf(best.verdict),
    plan: best.plan ?? { version: 1, faults: [] },
    operations: after.operations,
    ...(saved.file === undefined ? {} : { file: saved.file })
  }
}

function speedOf({ fresh, wallSeconds }: Outcome): Speed {
  return {
    wallSeconds,
    seedsPerSecond: fresh.runs / wallSeconds,
    virtualPerWall: fresh.virtualSeconds / wallSeconds
  }
}

/** Said once, whatever the number of failures: they share the reason. */
function unsavedLine(problems: ReadonlyArray<string>): string {
  const which = problems.length === 1 ? "the failure" : `${problems.length} failures`
  return `${which} could not be saved: ${problems[0]}; the line above replays it all the same`
}

/** What the sweep left out, and last why it did not pass, besides the runs that failed. */
function conclusions(
  { budget, minEffects, stopSignal }: SweepCommandOptions,
  { cold, notBegun, rare }: { readonly cold: number; readonly rare: number; readonly notBegun: number }
): ReadonlyArray<string> {
  const signal = stopSignal()
  const why =
    signal !== undefined
      ? `it was told to stop (${signal})`
      : budget !== undefined
        ? `the budget of ${budget} was over`
        : "the store could not be written"
  return [
    ...(notBegun > 0 ? [`${notBegun} runs were not begun: ${why}`] : []),
    ...(cold > 0 ? [`failed: no run met ${cold} ${cold === 1 ? "mark" : "marks"}`] : []),
    ...(rare > 0
      ? [`failed: ${rare} ${rare === 1 ? "kind" : "kinds"} of fault took effect less than ${minEffects} times`]
      : [])
  ]
}

function documentOf(shown: Shown | undefined) {
  return shown?.small === undefined ? null : smallDocument(shown.small)
}
