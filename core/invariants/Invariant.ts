/**
 * An invariant: a fold over the facts of a run that ends at the first state which must not be. One in each file of this
 * folder, named after its rule.
 */
import type { Envelope } from "../facts/Envelope.ts"
import type { Mark } from "../facts/Mark.ts"

/** What must not be, and the evidence: plain data that a person reads. */
export class Violation {
  readonly message: string
  readonly evidence: Readonly<Record<string, unknown>>
  /** The fact that shows it, where that is not the one at which it was found. */
  readonly shownBy: Pick<Envelope, "id" | "atMicros"> | undefined

  constructor(message: string, evidence: Readonly<Record<string, unknown>>, shownBy?: Violation["shownBy"]) {
    this.message = message
    this.evidence = evidence
    this.shownBy = shownBy
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
  /** Where one of these is not met, it holds of nothing: a scenario that has it should meet them. */
  readonly needs?: ReadonlyArray<Mark>
}

/** An invariant of any state, where only it knows which. */
export interface AnyInvariant extends Pick<Invariant<unknown>, "name" | "states" | "initial" | "needs"> {
  readonly step: (state: never, envelope: Envelope) => unknown
}

/** An invariant whose state is its own business. */
export interface Check {
  readonly name: string
  readonly states: string
  readonly needs?: ReadonlyArray<Mark>
  /** Starts a fold. */
  readonly start: () => Judge
}

export interface Judge {
  /** Takes the next fact; the first violation. */
  readonly step: (envelope: Envelope) => Violation | undefined
  /** What only the whole can show, once the last fact was told. */
  readonly end?: () => Judgement
}

/** Of the whole: how many parts of it were there to judge, and how many could be. */
export interface Judgement {
  readonly violation: Violation | undefined
  readonly judged: number
  readonly decided: number
}

export const toCheck = <S>(invariant: Invariant<S>): Check => ({
  name: invariant.name,
  states: invariant.states,
  ...(invariant.needs === undefined ? {} : { needs: invariant.needs }),
  start: () => {
    let state = invariant.initial()
    return {
      step: (envelope) => {
        const next = invariant.step(state, envelope)
        if (next instanceof Violation) return next
        state = next
        return undefined
      }
    }
  }
})

/** Of either, as scenarios are given them. */
export const checkOf = (given: Check | AnyInvariant): Check =>
  "start" in given ? given : toCheck(given as Invariant<unknown>)
