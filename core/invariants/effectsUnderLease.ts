/**
 * Checkers 5.5.9, 5.6.3 and I1 for what no fence can stop: an effect outside begins only while its node may act under the lease, and
 * one node works on a key with one hand.
 */
import type { Envelope } from "../facts/Envelope.ts"
import type { ActingAs } from "../lease/LeaseFacts.ts"
import type { EffectEnded, EffectStarted } from "../reconcile/ReconcileFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"

interface State {
  /** Until when each grant may be acted under, by node, incarnation, lease and epoch. */
  readonly claims: Map<string, number>
  /** Effects under way, by node, incarnation and uid. */
  readonly open: Map<string, EffectStarted>
}

export const effectsUnderLease: Invariant<State> = {
  name: "effects-under-lease",
  states: "An effect outside begins only within its lease; one node works on a key with one hand (5.5.9, 5.6.3).",
  initial: () => ({ claims: new Map(), open: new Map() }),
  step: (state, envelope) => {
    const { fact, atMicros } = envelope
    const process = `${envelope.node}/${envelope.incarnation}`
    switch (fact._tag) {
      case "ActingAs": {
        const { grants, remainingMicros } = fact as ActingAs
        for (const { lease, epoch } of grants)
          state.claims.set(`${process} ${lease}@${epoch}`, atMicros + remainingMicros)
        return state
      }
      case "EffectStarted":
        return begin(state, fact as EffectStarted, envelope)
      case "EffectEnded":
        state.open.delete(`${process} ${(fact as EffectEnded).uid}`)
        return state
      default:
        return state
    }
  }
}

function begin(state: State, effect: EffectStarted, envelope: Envelope): State | Violation {
  const process = `${envelope.node}/${envelope.incarnation}`
  const untilMicros = state.claims.get(`${process} ${effect.lease}@${effect.epoch}`)
  if (untilMicros === undefined || untilMicros < envelope.atMicros) {
    return new Violation(`${process} began to ${effect.effect} ${effect.uid} without holding ${effect.lease}`, {
      ...effect,
      untilMicros: untilMicros ?? null,
      atMicros: envelope.atMicros
    })
  }
  const key = `${process} ${effect.uid}`
  const other = state.open.get(key)
  if (other !== undefined) {
    return new Violation(`${process} works on ${effect.uid} with two hands`, { first: other, second: effect })
  }
  state.open.set(key, effect)
  return state
}
