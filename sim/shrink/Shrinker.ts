/**
 * Makes a failing run small: fewer faults, nodes, clients and operations, shorter and rounder faults, a calm network, no
 * preemption; and always the same violation. Pure steps: requests go out, results come in, whoever drives them decides where they
 * run and when to stop, and finds the best so far in `best`.
 *
 * - K1 A candidate counts only when its violation is the same one (`violationOf`).
 * - K2 Whatever is taken away leaves every other decision as it was, because decisions are keyed; so what is left can be judged by itself.
 * - K3 What is rounded or shortened must also fail when schedules and latencies are redrawn, if the failure ever did: the least
 *   duration that fails by a hair is of no use to anybody.
 */
import { type Fault, type FaultPlan, fromMicros, toMicros } from "../nemesis/FaultPlan.ts"
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import { least, minimize, type Steps as StepsOf } from "./minimize.ts"
import { violationOf } from "./violationOf.ts"

/** Requests to run, and their results; undefined for one that names what its world does not have, such as a client that is no more. */
export type Steps<A> = StepsOf<RunRequest, A, RunResult | undefined>

/** How large a case is; each number is better smaller. */
export interface Size {
  readonly faults: number
  readonly faultSeconds: number
  readonly operations: number
  readonly preemptions: number
  readonly virtualSeconds: number
  readonly parameters: Readonly<Record<string, number>>
}

/** Redrawings of what a failure should not depend on. */
const noises = [1, 2, 3] as const

export class Shrinker {
  /** The smallest failure so far. Its request says everything that the seed would draw. */
  best: RunResult
  /** How many runs were asked for. */
  runs = 0
  readonly #violation: string
  readonly #known = new Set<string>()
  /** Which noises the failure survived when that was last asked; what is simplified must survive them too. */
  #survived: ReadonlyArray<number> = []

  constructor(failure: RunResult) {
    this.best = explicit(failure)
    this.#violation = violationOf(failure.verdict)
  }

  /** From the coarse to the fine; what a later pass has made possible, an earlier one may use in the next round. */
  *steps(): Steps<void> {
    for (let before = ""; before !== JSON.stringify(this.best.request);) {
      before = JSON.stringify(this.best.request)
      yield* this.#idleFaults()
      yield* this.#faults()
      yield* this.#parameters()
      yield* this.#amounts()
      yield* this.#operations()
      yield* this.#earlier()
      yield* this.#calm()
      yield* this.#preemptions()
      yield* this.#ending()
      yield* this.#targets()
      yield* this.#survive()
      yield* this.#simpler()
    }
  }

  /** Faults that never acted, or struck nothing, at once. */
  *#idleFaults(): Steps<void> {
    const { acted, strikes } = this.best
    const hasStruck = new Set(strikes.map(({ entry }) => entry))
    const faults = this.#plan.faults.filter(
      ({ when }, entry) =>
        acted.some((one) => one.entry === entry) && (hasStruck.has(entry) || "at" in when || "on" in when)
    )
    if (faults.length < this.#plan.faults.length) yield* this.#try({ plan: { ...this.#plan, faults } })
    const { core: _core, ...plan } = this.#plan
    if (this.#plan.core !== undefined) yield* this.#try({ plan })
  }

  *#faults(): Steps<void> {
    yield* minimize(this.#plan.faults, (faults) => this.#try({ plan: { ...this.#plan, faults } }))
  }

  *#parameters(): Steps<void> {
    const { ranges } = this.best
    const minima = Object.fromEntries(Object.entries(ranges).map(([name, [minimum]]) => [name, minimum]))
    if (yield* this.#sized(minima)) return
    for (const [name, [minimum]] of Object.entries(ranges)) {
      yield* least(minimum, this.#parametersNow[name] ?? minimum, (value) => this.#sized({ [name]: value }))
    }
  }

  /** With the operations as they are, or else as the smaller world has them, which may be more: it may take longer to fail. */
  *#sized(change: Readonly<Record<string, number>>): Steps<boolean> {
    const parameters = { ...this.#parametersNow, ...change }
    const { operations } = this.best
    return (yield* this.#try({ parameters, operations })) || (yield* this.#try({ parameters }))
  }

  *#operations(): Steps<void> {
    yield* minimize(this.#operationsNow, (operations) => this.#try({ operations }))
  }

  /** What is drawn for each strike by itself, once for all: so much that it is enough for any, in a round number. */
  *#amounts(): Steps<void> {
    for (const [entry, fault] of this.#plan.faults.entries()) {
      const drawn = this.best.strikes.flatMap((strike) => (strike.entry === entry ? (strike.drawn ?? []) : []))
      const largest = drawn.reduce((most, each) => (each.amount > most.amount ? each : most), drawn[0] ?? none)
      if (largest === none) continue
      for (const step of [1_000, 100]) {
        const amount = Math.ceil(largest.amount / step) * step
        const parameters = { ...fault.parameters, [largest.parameter]: amount }
        if (yield* this.#edit(entry, { ...fault, parameters })) break
      }
    }
  }

  /**
   * The nth occurrence that a hazard strikes by name is there for as long as the operations that make the others before it: one
   * operation less, and the one before it is struck.
   */
  *#earlier(): Steps<void> {
    for (let entry = 0; entry < this.#plan.faults.length; entry++) {
      const struckNow = () => struckBy(this.#plan.faults[entry] as Fault)
      for (let nth = 0; nth < struckNow().length; nth++) {
        for (let at = 0; at < this.#operationsNow.length;) {
          const earlier = before(struckNow()[nth] as string)
          if (earlier === undefined || struckNow().includes(earlier)) break
          const fault = { ...(this.#plan.faults[entry] as Fault), when: { struck: struckNow().with(nth, earlier) } }
          const plan = { ...this.#plan, faults: this.#plan.faults.with(entry, fault) }
          const operations = this.#operationsNow.toSpliced(at, 1)
          if (!(yield* this.#try({ plan, operations }))) at++
        }
      }
    }
  }

  *#calm(): Steps<void> {
    if (this.best.request.isCalm !== true) yield* this.#try({ isCalm: true })
  }

  *#preemptions(): Steps<void> {
    const { request } = this.best
    if (request.deviations !== undefined) {
      const { deviations, ...rest } = request
      if (!(yield* this.#replace(rest))) yield* minimize(deviations, (some) => this.#try({ deviations: some }))
    }
    if (request.strategy === "fifo") return
    const { preemptions: _preemptions, ...rest } = this.best.request
    if (yield* this.#replace({ ...rest, strategy: "fifo" })) return
    yield* minimize(this.best.preemptions, (preemptions) => this.#try({ preemptions }))
  }

  /** What was judged after all that shows it: at the next whole second. */
  *#ending(): Steps<void> {
    const { verdict, virtualMicros } = this.best
    if (!("atMicros" in verdict)) return
    const untilMicros = Math.ceil(verdict.atMicros / 1_000_000) * 1_000_000
    if (untilMicros < virtualMicros) yield* this.#try({ untilMicros })
  }

  /** Nodes by name, where a selector picked them. */
  *#targets(): Steps<void> {
    for (const { entry, others, targets } of this.best.acted) {
      const fault = this.#plan.faults[entry]
      if (fault === undefined) continue
      if (targets.length === 1 && fault.target !== targets[0] && fault.target.startsWith("random")) {
        yield* this.#edit(entry, { ...fault, target: targets[0] as string })
      }
      const now = this.#plan.faults[entry] as Fault
      if (now.with !== undefined && others.length === 1 && now.with !== others[0]) {
        yield* this.#edit(entry, { ...now, with: others[0] as string })
      }
    }
  }

  /** Which redrawings the failure survives as it is. */
  *#survive(): Steps<void> {
    const survived: Array<number> = []
    for (const noise of noises) {
      const result = yield this.#asked({ ...this.best.request, noise })
      if (this.#isSame(result)) survived.push(noise)
    }
    this.#survived = survived
  }

  /** Each fault by itself: its window, its duration, its moment. */
  *#simpler(): Steps<void> {
    for (let entry = 0; entry < this.#plan.faults.length; entry++) {
      const { when } = this.#plan.faults[entry] as Fault
      if ("rate" in when) yield* this.#window(entry)
      else if ("struck" in when) yield* this.#occurrences(entry)
      else yield* this.#event(entry)
    }
  }

  /** A hazard: from its first strike to its last, between two hosts where it struck only there, and every time instead of sometimes. */
  *#window(entry: number): Steps<void> {
    const strikes = this.best.strikes.filter((strike) => strike.entry === entry)
    const first = strikes[0]
    const last = strikes.at(-1)
    if (first === undefined || last === undefined) return
    const fault = this.#plan.faults[entry] as Fault
    const narrow = (firstMicros: number, lastMicros: number, stepMicros: number, rate: number): Fault => ({
      ...fault,
      when: {
        from: fromMicros(Math.floor(firstMicros / stepMicros) * stepMicros),
        until: fromMicros((Math.floor(lastMicros / stepMicros) + 1) * stepMicros),
        rate
      }
    })
    const { rate } = fault.when as { readonly rate: number }
    const alone = strikes.flatMap(({ atMicros }) => [
      narrow(atMicros, atMicros, 1_000_000, 1),
      narrow(atMicros, atMicros, 100_000, 1)
    ])
    const all = [
      narrow(first.atMicros, last.atMicros, 1_000_000, 1),
      narrow(first.atMicros, last.atMicros, 1_000_000, rate)
    ]
    // The last strike is the likeliest to matter.
    for (const candidate of [...alone.slice(-2 * aloneMax).toReversed(), ...all]) {
      if (yield* this.#edit(entry, candidate, true)) break
    }
    yield* this.#hosts(entry)
    yield* this.#occurrences(entry)
  }

  /** Where it needs this strike and not that one: the strikes by name, as few as will do, if those are few. */
  *#occurrences(entry: number): Steps<void> {
    const before = this.best
    const names = before.strikes.filter((strike) => strike.entry === entry).map(({ occurrence }) => occurrence)
    const fault = this.#plan.faults[entry] as Fault
    if (names.length < 2 || ("rate" in fault.when && fault.when.rate === 1)) return
    yield* minimize(names, (struck) =>
      struck.length === 0 ? never() : this.#edit(entry, { ...fault, when: { struck } }, true)
    )
    const { when } = this.#plan.faults[entry] as Fault
    // A window survives an edit of the program better than a long list of names.
    if ("struck" in when && when.struck.length > struckMax) this.best = before
  }

  /** Whom a hazard struck, where it may strike everybody. */
  *#hosts(entry: number): Steps<void> {
    const fault = this.#plan.faults[entry] as Fault
    if (fault.target !== "*") return
    const ends = this.best.strikes
      .filter((strike) => strike.entry === entry)
      .map(({ occurrence }) => hostsOf(occurrence))
    const [target, other] = ends[0] ?? []
    if (target === undefined || !ends.every((hosts) => hosts.join() === ends[0]?.join())) return
    yield* this.#edit(entry, { ...fault, target, ...(other === undefined ? {} : { with: other }) })
  }

  *#event(entry: number): Steps<void> {
    const { for: lasts } = this.#plan.faults[entry] as Fault
    if (lasts !== undefined) {
      for (const steps of durations) {
        const now = toMicros((this.#plan.faults[entry] as Fault).for as string)
        // Long enough to be sure, and short: the first of the scale that still does it.
        if (steps < now && (yield* this.#edit(entry, this.#lasting(entry, steps), true))) break
      }
    }
    const { when } = this.#plan.faults[entry] as Fault
    if (!("at" in when)) return
    const atMicros = toMicros(when.at)
    for (const roundMicros of [10_000_000, 5_000_000, 1_000_000, 500_000]) {
      if (atMicros % roundMicros === 0) return
      const nearest = Math.max(roundMicros, Math.round(atMicros / roundMicros) * roundMicros)
      const fault = this.#plan.faults[entry] as Fault
      if (yield* this.#edit(entry, { ...fault, when: { at: fromMicros(nearest) } }, true)) return
    }
  }

  #lasting(entry: number, micros: number): Fault {
    return { ...(this.#plan.faults[entry] as Fault), for: fromMicros(micros) }
  }

  *#edit(entry: number, fault: Fault, mustSurvive = false): Steps<boolean> {
    const faults = this.#plan.faults.with(entry, fault)
    return yield* this.#try({ plan: { ...this.#plan, faults } }, mustSurvive)
  }

  #try(change: Partial<RunRequest>, mustSurvive = false): Steps<boolean> {
    return this.#replace({ ...this.best.request, ...change }, mustSurvive)
  }

  /** Whether the request fails in the same way; then it is the best. */
  *#replace(request: RunRequest, mustSurvive = false): Steps<boolean> {
    const key = JSON.stringify(request)
    if (this.#known.has(key)) return false
    this.#known.add(key)
    const result = yield this.#asked(request)
    if (!this.#isSame(result)) return false
    if (mustSurvive) {
      for (const noise of this.#survived) {
        const other = yield this.#asked({ ...request, noise })
        if (!this.#isSame(other)) return false
      }
    }
    this.best = explicit(result)
    return true
  }

  /** What has not failed long after the failure it stands for will not: the rest of the run is spared. */
  #asked(request: RunRequest): RunRequest {
    this.runs++
    const { verdict } = this.best
    if (verdict._tag === "passed" || verdict._tag === "stalled") return request
    const untilMicros = Math.min(request.untilMicros ?? Infinity, 2 * verdict.atMicros + graceMicros)
    return { ...request, untilMicros }
  }

  #isSame(result: RunResult | undefined): result is RunResult {
    return result !== undefined && violationOf(result.verdict) === this.#violation
  }

  get #plan(): FaultPlan {
    return this.best.request.plan ?? { version: 1, faults: [] }
  }

  get #operationsNow(): ReadonlyArray<string> {
    return this.best.request.operations ?? this.best.operations
  }

  get #parametersNow(): Readonly<Record<string, number>> {
    return this.best.request.parameters ?? {}
  }
}

/** The request with all that the seed drew, and with where the run was to end if that is what ended it. */
export const explicit = (result: RunResult): RunResult => {
  const { parameters, plan, request, virtualMicros } = result
  const { untilMicros = Infinity, ...rest } = request
  return {
    ...result,
    request: {
      ...rest,
      parameters,
      ...(plan === undefined ? {} : { plan }),
      ...(virtualMicros < untilMicros ? {} : { untilMicros })
    }
  }
}

export const sizeOf = ({ operations, parameters, plan, preemptions, virtualMicros }: RunResult): Size => {
  const faults = plan?.faults ?? []
  return {
    faults: faults.length,
    faultSeconds: faults.reduce((sum, fault) => sum + lastsMicros(fault), 0) / 1_000_000,
    operations: operations.length,
    preemptions: preemptions.length,
    virtualSeconds: virtualMicros / 1_000_000,
    parameters
  }
}

function lastsMicros({ for: lasts, when }: Fault): number {
  if (lasts !== undefined) return toMicros(lasts)
  return "rate" in when ? toMicros(when.until) - toMicros(when.from) : 0
}

/** "n1>db/3/opener#5" is between n1 and db, "n1/lease#3" on n1. */
function hostsOf(occurrence: string): ReadonlyArray<string> {
  const subject = occurrence.split("#")[0] as string
  return subject.split(">").map((end) => end.split("/")[0] as string)
}

function struckBy({ when }: Fault): ReadonlyArray<string> {
  return "struck" in when ? when.struck : []
}

/** "n1/lease#3" comes after "n1/lease#2". */
function before(occurrence: string): string | undefined {
  const [subject, nth] = occurrence.split("#") as [string, string]
  return nth === "0" ? undefined : `${subject}#${Number(nth) - 1}`
}

// eslint-disable-next-line require-yield
function* never(): Steps<boolean> {
  return false
}

const none = { parameter: "", amount: 0 } as const
const aloneMax = 4
const struckMax = 4
const graceMicros = 10_000_000
/** In microseconds, what a person writes: the shortest of these that is enough. */
const durations = [1e5, 5e5, 1e6, 2e6, 3e6, 5e6, 8e6, 10e6, 15e6, 20e6] as const
