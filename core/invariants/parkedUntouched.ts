/**
 * K1 of `core/reconcile/Parking.ts`: what is parked is left alone, until somebody asks for it again, its deletion is asked for or something
 * else is wanted; and what has failed as often as it may is parked rather than started again.
 */
import { type Fleet, fleets } from "../fleet/Fleet.ts"
import { type Instance, instances } from "../instance/Instance.ts"
import type { EffectStarted } from "../reconcile/ReconcileFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

interface State {
  /** By uid. */
  readonly parked: Set<string>
}

/** `failuresMax`: what the nodes are configured with; without it only what is parked is judged. */
export const parkedUntouched = (failuresMax?: number): Invariant<State> => ({
  name: "parked-untouched",
  states:
    "What is parked is not worked on, and has failed as often as it may; nothing fails more often (pg-boss: dead letters).",
  initial: () => ({ parked: new Set() }),
  step: (state, envelope) => {
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      const problem = judge(before, after, failuresMax)
      if (problem !== undefined) return new Violation(`instance ${key}: ${problem}`, { before, after })
      if (after === null || after.parkedAt === null) state.parked.delete(key)
      else state.parked.add(key)
    }
    for (const { key, before, after } of rowChanges(envelope, fleets)) {
      const problem = judgeFleet(before, after, failuresMax)
      if (problem !== undefined) return new Violation(`fleet ${key}: ${problem}`, { before, after })
    }
    const fact = envelope.fact as EffectStarted
    return fact._tag === "EffectStarted" && state.parked.has(fact.uid)
      ? new Violation(`instance ${fact.uid}: it is parked, and its ${fact.effect} was asked for`, { fact })
      : state
  }
})

function judge(before: Instance | null, after: Instance | null, failuresMax: number | undefined): string | undefined {
  if (after === null) return isParked(before) ? "it was parked, and left" : undefined
  const failures = after.failures ?? 0
  if (failuresMax !== undefined && failures > failuresMax) return `it failed ${failures} times, and was not parked`
  if (after.parkedAt === null) return undefined
  if (failuresMax !== undefined && failures < failuresMax) return `it was parked after ${failures} failures`
  // It may still be given up for its silence: that is no work on it.
  const isWorkedOn = isParked(before) && before.state !== after.state && after.state !== "ERROR"
  return isWorkedOn ? `it was parked, and became ${after.state}` : undefined
}

function judgeFleet(before: Fleet | null, after: Fleet | null, failuresMax: number | undefined): string | undefined {
  if (after === null || after.parkedAt === null) return undefined
  const failures = after.failures ?? 0
  if (failuresMax !== undefined && failures < failuresMax) return `it was parked after ${failures} failures`
  return isParked(before) && after.scaledGeneration !== before.scaledGeneration
    ? "it was parked, and scaled"
    : undefined
}

function isParked<R extends { readonly parkedAt: number | null }>(row: R | null): row is R {
  return row !== null && row.parkedAt !== null
}
