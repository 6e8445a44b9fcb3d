/**
 * I16: work per unit of time stays bounded, also when everything recovers at once: no resource is acted on in a hot
 * loop, and no key is looked at in one.
 */
import type { EffectStarted, Reconciled } from "../reconcile/ReconcileFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"

const windowMicros = 10_000_000
/** Exponential backoff from 5 ms passes 10 s with its twelfth failure; each owner may start anew. */
const perWindowMax = 60

/** By what was done: the times of the latest, oldest first. */
type State = Map<string, Array<number>>

// covers A14
export const workBounded: Invariant<State> = {
  name: "work-bounded",
  states: "No key is worked on in a hot loop (I16).",
  initial: () => new Map(),
  step: (state, { fact, atMicros }) => {
    if (fact._tag === "EffectStarted") {
      const { effect, uid } = fact as EffectStarted
      return count(state, `${effect} ${uid}`, atMicros)
    }
    return fact._tag === "Reconciled" ? count(state, `look at ${(fact as Reconciled).key}`, atMicros) : state
  }
}

function count(state: State, what: string, atMicros: number): State | Violation {
  const times = state.get(what) ?? []
  state.set(what, times)
  times.push(atMicros)
  while (times[0]! <= atMicros - windowMicros) times.shift()
  if (times.length <= perWindowMax) return state
  return new Violation(`${what}: ${times.length} times within ${windowMicros / 1_000_000} s`, {
    what,
    times: times.length
  })
}
