/**
 * An invariant: a fold over the facts of a run that ends at the first state which must not be. One in each file of this
 * folder, named after its rule.
 */
import type { Envelope } from "../facts/Envelope.ts"

/** What must not be, and the evidence: plain data that a person reads. */
export class Violation {
  readonly message: string
  readonly evidence: Readonly<Record<string, unknown>>

  constructor(message: string, evidence: Readonly<Record<string, unknown>>) {
    this.message = message
    this.evidence = evidence
  }
}

export interface Invariant<S> {
  /** Kebab case, as its file: "lease-epochs-rise". */
  readonly name: string
  /** One line: what holds, and which rule or incident it comes from. */
  readonly states: string
  /** A fresh state for each run; a step may change it in place and return it. */
  readonly initial: () => S
  /** Costs only what changed: facts that do not concern it return the state as it is. */
  readonly step: (state: S, envelope: Envelope) => S | Violation
}

/** An invariant whose state is its own business. */
export interface Check {
  readonly name: string
  readonly states: string
  /** Starts a fold; each call takes the next fact and returns the first violation. */
  readonly start: () => (envelope: Envelope) => Violation | undefined
}

export const toCheck = <S>(invariant: Invariant<S>): Check => ({
  name: invariant.name,
  states: invariant.states,
  start: () => {
    let state = invariant.initial()
    return (envelope) => {
      const next = invariant.step(state, envelope)
      if (next instanceof Violation) return next
      state = next
      return undefined
    }
  }
})
