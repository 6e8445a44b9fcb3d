/**
 * Which faults a failure needs, and how exactly: each fault of a small case is removed, moved in time, shortened and moved to another
 * node, and what then happens is written down. Pure steps, as of the shrinker.
 */
import { type Fault, fromMicros, toMicros } from "../nemesis/FaultPlan.ts"
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import type { Steps } from "./Shrinker.ts"
import { violationOf } from "./violationOf.ts"

/** What came of a change: the same violation, another one, none, or a plan that does not fit the world. */
export type Effect = "same" | "other" | "passed" | "void"

export interface Trial {
  readonly change: "removed" | "earlier" | "later" | "shorter" | "elsewhere"
  /** By how much, or to where: "2s", "n3"; empty for a removal. */
  readonly detail: string
  readonly effect: Effect
  /** The invariant that broke instead, where another did. */
  readonly instead: string
}

export interface FaultNeed {
  /** Its position in the plan. */
  readonly entry: number
  readonly fault: Fault
  /** Whether the failure goes away without it. */
  readonly isNecessary: boolean
  readonly trials: ReadonlyArray<Trial>
  /** Between which moments it may begin, as far as was tried; undefined where it waits for a fact. */
  readonly beginsMicros: readonly [earliest: number, latest: number] | undefined
  /** A duration that was tried and is too short; undefined when none was. */
  readonly tooShortMicros: number | undefined
}

/** Of a case that was made small, in the order of its plan. */
export function* necessityOf(small: RunResult): Steps<ReadonlyArray<FaultNeed>> {
  const needs: Array<FaultNeed> = []
  for (const entry of (small.plan?.faults ?? []).keys()) needs.push(yield* needOf(small, entry))
  return needs
}

function* needOf(small: RunResult, entry: number): Steps<FaultNeed> {
  const fault = small.plan?.faults[entry] as Fault
  const trials: Array<Trial> = []
  function* tried(change: Trial["change"], detail: string, edited: ReadonlyArray<Fault>): Steps<Effect> {
    const trial = { change, detail, ...(yield* judged(small, entry, edited)) }
    trials.push(trial)
    return trial.effect
  }

  const isNecessary = (yield* tried("removed", "", [])) !== "same"
  const begins = beginningOf(fault)
  let beginsMicros: FaultNeed["beginsMicros"]
  if (begins !== undefined) {
    let earliest = begins
    for (const micros of shifts.filter((shift) => shift <= begins)) {
      if ((yield* tried("earlier", fromMicros(micros), [shifted(fault, -micros)])) !== "same") break
      earliest = begins - micros
    }
    let latest = begins
    for (const micros of shifts) {
      if ((yield* tried("later", fromMicros(micros), [shifted(fault, micros)])) !== "same") break
      latest = begins + micros
    }
    beginsMicros = [earliest, latest]
  }
  let tooShortMicros: number | undefined
  const lasts = durationOf(fault)
  if (lasts !== undefined) {
    for (const part of [0.75, 0.5, 0.25, 0.1]) {
      const micros = Math.round((lasts * part) / 1_000) * 1_000
      if (micros < 1_000) break
      if ((yield* tried("shorter", fromMicros(micros), [lasting(fault, micros)])) === "same") continue
      tooShortMicros = micros
      break
    }
  }
  for (const target of others(small, fault.target)) yield* tried("elsewhere", target, [{ ...fault, target }])
  return { entry, fault, isNecessary, trials, beginsMicros, tooShortMicros }
}

function* judged(
  small: RunResult,
  entry: number,
  instead: ReadonlyArray<Fault>
): Steps<Pick<Trial, "effect" | "instead">> {
  const { plan, request } = small
  const faults = (plan?.faults ?? []).flatMap((fault, index) => (index === entry ? instead : [fault]))
  const asked: RunRequest = { ...request, plan: { version: 1, ...plan, faults } }
  const result = yield asked
  if (result === undefined) return { effect: "void", instead: "" }
  const { verdict } = result
  if (violationOf(verdict) === violationOf(small.verdict)) return { effect: "same", instead: "" }
  if (verdict._tag === "passed") return { effect: "passed", instead: "" }
  return { effect: "other", instead: verdict._tag === "violated" ? verdict.invariant : verdict._tag }
}

/** In microseconds, outwards until the failure goes away. */
const shifts = [1e5, 5e5, 1e6, 2e6, 5e6, 10e6] as const

function beginningOf({ when }: Fault): number | undefined {
  if ("at" in when) return toMicros(when.at)
  return "rate" in when ? toMicros(when.from) : undefined
}

function shifted(fault: Fault, byMicros: number): Fault {
  const { when } = fault
  const moved = (text: string) => fromMicros(toMicros(text) + byMicros)
  if ("at" in when) return { ...fault, when: { at: moved(when.at) } }
  if ("rate" in when) return { ...fault, when: { ...when, from: moved(when.from), until: moved(when.until) } }
  return fault
}

function durationOf({ for: lasts, when }: Fault): number | undefined {
  if (lasts !== undefined) return toMicros(lasts)
  return "rate" in when ? toMicros(when.until) - toMicros(when.from) : undefined
}

function lasting(fault: Fault, micros: number): Fault {
  const { when } = fault
  if (fault.for !== undefined || !("rate" in when)) return { ...fault, for: fromMicros(micros) }
  return { ...fault, when: { ...when, until: fromMicros(toMicros(when.from) + micros) } }
}

/** Nodes like the target: with one of its tags. */
function others({ nodes }: RunResult, target: string): ReadonlyArray<string> {
  const tags = nodes[target]
  if (tags === undefined) return []
  const names = Object.keys(nodes)
  return names.filter((name) => name !== target && nodes[name]?.some((tag) => tags.includes(tag)) === true)
}
