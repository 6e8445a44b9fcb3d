/**
 * One run of a scenario: build, safety phase with faults, liveness phase without, verdict. A pure function of the
 * request: same request, same result, digest included.
 */
import type { Check, Judge, Judgement } from "../../core/invariants/Invariant.ts"
import { causeOf } from "../host/causeOf.ts"
import type { OnChoicePoint } from "../kernel/ChoicePoint.ts"
import * as Deviations from "../kernel/Deviations.ts"
import type { Subscriber } from "../kernel/FactStream.ts"
import type { WaitsOn } from "../kernel/FiberWatch.ts"
import { defaultLimits, type Limits, type Stopped } from "../kernel/Kernel.ts"
import { strategies, type Strategy } from "../kernel/Schedule.ts"
import type { FaultKind } from "../nemesis/FaultKind.ts"
import type { FaultPlan } from "../nemesis/FaultPlan.ts"
import { Nemesis, problem } from "../nemesis/Nemesis.ts"
import { armFaultPoints } from "../nemesis/kinds/process.ts"
import { type Databases, model } from "../storage/Databases.ts"
import type { Built, Parameters, Scenario } from "./Scenario.ts"
import type { RunRequest, RunResult, Verdict, Waiting } from "./Verdict.ts"
import { World } from "./World.ts"

/** Convergence is asked this often; also the resolution of its time. */
const pollMicros = 250_000

export interface RunOptions {
  readonly kinds: ReadonlyArray<FaultKind>
  /** Hears every fact, down to each send and timer. */
  readonly onFact?: Subscriber
  /** Hears where the run could go another way; what it hears of changes no run. */
  readonly onChoicePoint?: OnChoicePoint
  readonly limits?: Limits
  /** What the world's database is made of, where the request asks for another than the model. */
  readonly databases?: Databases
  /** Sees the world before anything runs. */
  readonly onWorld?: (world: World) => void
  /** Hears what was drawn, before the first event: known also of a run that gives no result. */
  readonly onDrawn?: (drawn: Drawn) => void
}

/** What the seed (or the request) made of the scenario. */
export interface Drawn {
  readonly parameters: Parameters
  readonly plan: FaultPlan
}

/** A request that names what the scenario's world does not have, or whose parameters are not of its size. */
export class RequestProblem extends Error {
  override readonly name = "RequestProblem"
}

/** Dies with `RequestProblem` when the request's plan or parameters do not fit; whatever else fails is a verdict. */
export const runScenario = (scenario: Scenario, request: RunRequest, options: RunOptions): RunResult => {
  const result = attempt(scenario, request, options, false)
  if (result.verdict._tag !== "stalled") return result
  // The same run once more, keeping the fibers this time, says who waits for what.
  const { onFact: _onFact, onChoicePoint: _onChoicePoint, onDrawn: _onDrawn, onWorld: _onWorld, ...again } = options
  const explained = attempt(scenario, request, again, true)
  const isSame = explained.digest === result.digest && explained.verdict._tag === "stalled"
  return { ...result, verdict: isSame ? explained.verdict : differing(result.verdict) }
}

/** The verdict on a stall that its second run did not repeat: whatever made the difference is not in the request. */
function differing({ atMicros, reason }: Verdict & { readonly _tag: "stalled" }): Verdict {
  const remedy = `the run stalled (${reason}) and went another way when it was run again: look for state that outlives a run`
  return { _tag: "escaped", api: "nondeterminism", remedy, stack: "", atMicros }
}

/** The parameters of a seed, each uniform in its range. */
export const drawParameters = (scenario: Scenario, world: World): Parameters =>
  Object.fromEntries(
    Object.entries(scenario.parameters).map(([name, [minimum, maximum]]) => {
      if (minimum > maximum) {
        throw new RequestProblem(`parameter ${name}: its least, ${minimum}, is more than its most, ${maximum}`)
      }
      return [name, world.draw.integer(`parameter/${name}`, minimum, maximum)]
    })
  )

/**
 * Ranges change, and what was saved before is run all the same: but a world of a size that its scenario never had does not fit into
 * memory.
 */
const parameterSlack = 10

function requireParameters({ parameters: ranges }: Scenario, request: RunRequest): void {
  for (const [name, value] of Object.entries(request.parameters ?? {})) {
    const range = ranges[name]
    if (range === undefined) continue
    const [minimum, maximum] = range
    const least = Math.min(0, minimum * parameterSlack)
    const most = Math.max(0, maximum * parameterSlack)
    if (value >= least && value <= most) continue
    throw new RequestProblem(
      `parameter ${name} is ${value}: the scenario draws it from ${minimum} to ${maximum}, and takes ${least} to ${most}`
    )
  }
}

function attempt(scenario: Scenario, request: RunRequest, options: RunOptions, isTracking: boolean): RunResult {
  const world = new World({
    seed: request.seed,
    strategy: strategyOf(request),
    isCalm: request.isCalm ?? false,
    ...(request.noise === undefined ? {} : { noise: request.noise }),
    isTracking,
    isAsync: scenario.isAsync ?? false,
    limits: options.limits ?? defaultLimits,
    databases: databasesOf(request, options),
    ...(request.operations === undefined ? {} : { operations: request.operations })
  })
  return world.trapped(() => inside(scenario, request, options, world))
}

function strategyOf({ deviations, preemptions, strategy }: RunRequest): Strategy {
  return {
    ...strategies[strategy],
    ...(preemptions === undefined ? {} : { preemptions: new Set(preemptions) }),
    ...(deviations === undefined ? {} : { deviations: Deviations.make(deviations) })
  }
}

/** Dies when the caller brought others than the request asks for. */
function databasesOf({ storage = "model" }: RunRequest, { databases = model }: RunOptions): Databases {
  if (databases.name !== storage) throw new Error(`the run asks for ${storage} and was given ${databases.name}`)
  return databases
}

function inside(scenario: Scenario, request: RunRequest, options: RunOptions, world: World): RunResult {
  if (options.onFact !== undefined) world.kernel.facts.subscribeDetailed(options.onFact)
  world.kernel.onChoicePoint = options.onChoicePoint
  world.hazards.onChoicePoint = options.onChoicePoint
  options.onWorld?.(world)
  for (const mark of scenario.marks) world.marks.set(mark.name, { kind: mark.kind, visits: 0, holds: 0 })
  requireParameters(scenario, request)
  const parameters = { ...drawParameters(scenario, world), ...request.parameters }
  const judges = watch(world, scenario.invariants)
  armFaultPoints(world)
  const built = scenario.build(world, parameters) ?? { converged: () => true }
  const plan = request.plan ?? scenario.faults(world.draw.child("faults"), world, parameters)
  const kinds = [...options.kinds, ...scenario.faultKinds]
  const wrong = problem(plan, kinds, world)
  if (wrong !== undefined) throw new RequestProblem(wrong)
  options.onDrawn?.({ parameters, plan })
  const nemesis = new Nemesis(world, plan, kinds)
  nemesis.start()
  const verdict = atTheEnd(world, judges, play(world, scenario, built, request, nemesis))
  const { facts } = world.kernel
  return {
    request,
    verdict,
    digest: facts.digest.value,
    parameters,
    ranges: scenario.parameters,
    nodes: world.nodes,
    plan,
    pinned: nemesis.pinned(),
    strikes: world.hazards.strikes,
    operations: world.operations,
    preemptions: world.kernel.preemptions,
    acted: nemesis.acted,
    virtualMicros: world.nowMicros,
    steps: world.kernel.steps,
    facts: facts.count,
    effects: Object.fromEntries(facts.effects),
    voids: nemesis.voids,
    marks: Object.fromEntries(world.marks)
  }
}

type Judges = ReadonlyArray<{ readonly name: string; readonly judge: Judge }>

function watch(world: World, invariants: ReadonlyArray<Check>): Judges {
  const judges = invariants.map((invariant) => ({ name: invariant.name, judge: invariant.start() }))
  for (const { judge, name } of judges) {
    world.subscribe((envelope) => {
      const violation = judging(world, name, () => judge.step(envelope))
      if (violation === undefined) return
      const { evidence, message, shownBy = envelope } = violation
      world.violate({ invariant: name, message, evidence, factId: shownBy.id, atMicros: shownBy.atMicros })
    })
  }
  return judges
}

/** What an invariant throws is not a matter of whoever told the fact, into whose fiber it would go. */
function judging<A>(world: World, name: string, judge: () => A): A | undefined {
  try {
    return judge()
  } catch (error) {
    world.crash({ node: `the invariant ${name}`, cause: causeOf(error) })
    return undefined
  }
}

/** What only the whole run can show counts for more than that it stalled. */
function atTheEnd(world: World, judges: Judges, verdict: Verdict): Verdict {
  if (verdict._tag !== "passed" && verdict._tag !== "stalled") return verdict
  for (const { judge, name } of judges) {
    if (judge.end === undefined) continue
    const judgement: Judgement | undefined = judging(world, name, judge.end)
    if (judgement === undefined) return endingOf(world) ?? verdict
    const { decided, judged, violation } = judgement
    world.marks.set(name, { kind: "judged", visits: judged, holds: decided })
    if (violation === undefined) continue
    const { evidence, message, shownBy } = violation
    const { atMicros, id } = shownBy ?? { atMicros: world.nowMicros, id: world.kernel.facts.count }
    return { _tag: "violated", invariant: name, message, evidence, factId: id, atMicros }
  }
  return verdict
}

function play(world: World, scenario: Scenario, built: Built, request: RunRequest, nemesis: Nemesis): Verdict {
  const safetyMicros = scenario.safetyMillis * 1_000
  const untilMicros = request.untilMicros ?? Infinity
  const stopped = world.kernel.run(Math.min(safetyMicros, untilMicros))
  // A world in which nothing can happen may wait for what is healed below.
  const early = stopped._tag === "Quiescent" ? endingOf(world) : ended(world, stopped)
  if (early !== undefined) return early
  if (untilMicros <= safetyMicros) return { _tag: "passed" }
  nemesis.end()
  world.heal()
  for (const name of nemesis.core ?? world.tagged()) {
    const node = world.node(name)
    if (node.state === "paused") node.resume()
    node.revive()
  }
  const { liveness } = scenario
  if (liveness === undefined) {
    return ended(world, world.kernel.run(world.nowMicros)) ?? unended(world) ?? { _tag: "passed" }
  }

  const deadlineMicros = world.nowMicros + liveness.withinMillis * 1_000
  let missing: true | string = "not asked yet"
  while (world.nowMicros < deadlineMicros) {
    const verdict = ended(world, world.kernel.run(Math.min(untilMicros, world.nowMicros + pollMicros)))
    if (verdict !== undefined) return verdict
    if (world.nowMicros >= untilMicros) return { _tag: "passed" }
    missing = built.converged()
    if (missing === true) break
  }
  if (missing !== true) {
    const seconds = liveness.withinMillis / 1_000
    return stalled(world, `not converged within ${seconds} s after the faults ended: ${missing}`)
  }
  const noisy = quiet(world, built, liveness, untilMicros)
  if (noisy !== undefined || world.nowMicros >= untilMicros) return noisy ?? { _tag: "passed" }
  return unended(world) ?? { _tag: "passed" }
}

/** Converged is not enough: it must stay so, and nothing may write without a reason. */
function quiet(
  world: World,
  built: Built,
  liveness: NonNullable<Scenario["liveness"]>,
  limitMicros: number
): Verdict | undefined {
  const untilMicros = Math.min(limitMicros, world.nowMicros + liveness.quietMillis * 1_000)
  let noise: string | undefined
  const unsubscribe = world.subscribe(({ fact }) => {
    if (fact._tag !== "Committed") return
    const { label } = fact as unknown as { readonly label: string }
    if (liveness.noise(label)) noise ??= label
  })
  while (world.nowMicros < untilMicros) {
    const stopped = ended(world, world.kernel.run(Math.min(untilMicros, world.nowMicros + pollMicros)))
    if (stopped !== undefined) return stopped
    const missing = built.converged()
    if (missing !== true) return stalled(world, `converged, then left that state by itself: ${missing}`)
    if (noise !== undefined) return stalled(world, `converged, but "${noise}" goes on writing`)
  }
  unsubscribe()
  return undefined
}

/** What a fact or a fiber has ended the run with. */
function endingOf({ ending, nowMicros: atMicros }: World): Verdict | undefined {
  return ending === undefined ? undefined : { atMicros, ...ending }
}

function ended(world: World, stopped: Stopped): Verdict | undefined {
  if (world.ending !== undefined) return endingOf(world)
  switch (stopped._tag) {
    case "Reached":
    case "Halted":
      return undefined
    case "Quiescent":
      return world.unended.length === 0
        ? undefined
        : stalled(world, `deadlock: nothing can happen any more, and ${world.unended.join(", ")} did not end`)
    case "Livelock":
      return stalled(world, `livelock: the fibers of ${stopped.node} wake each other and no time passes`)
    case "StepLimit":
      return stalled(world, "the bound on steps was reached")
  }
}

function unended(world: World): Verdict | undefined {
  const { unended: names } = world
  return names.length === 0 ? undefined : stalled(world, `${names.join(", ")} did not end in time`)
}

function stalled(world: World, reason: string): Verdict {
  const waiting: Array<Waiting> = []
  for (const node of world.kernel.nodes) {
    for (const fiber of node.waiting()) waiting.push({ node: node.name, ...fiber })
  }
  const unended = new Set(world.unended)
  // Nodes that had to end come first; then what waits for somebody before what waits for time; then what waits longest.
  const rank = ({ node, on }: Waiting) => telling.indexOf(on) + (unended.has(node) ? 0 : telling.length)
  waiting.sort((one, other) => rank(one) - rank(other) || one.sinceMicros - other.sinceMicros)
  return { _tag: "stalled", reason, waiting, atMicros: world.nowMicros }
}

const telling: ReadonlyArray<WaitsOn> = ["outside", "inside", "end", "turn", "time", "nothing"]
