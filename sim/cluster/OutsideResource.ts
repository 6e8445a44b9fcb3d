/**
 * Something outside of the cluster that its activations write to. Without a fence it takes whatever comes, and says what came from whom:
 * what a fencing token would have refused is found in that (`noStaleWrites`). With one it refuses it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Facts from "../../core/facts/Facts.ts"
import { type Invariant, Violation } from "../../core/invariants/Invariant.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"

/** An activation has written. */
export interface Written {
  readonly _tag: "Written"
  /** What it is the activation of: the name of a singleton, the address of an entity. */
  readonly of: string
  /** One run of it: never the same again. */
  readonly activation: string
  readonly what: string
}

/** An activation was refused to write: one of a higher epoch has written before. */
export interface Refused {
  readonly _tag: "Refused"
  readonly of: string
  readonly activation: string
  readonly what: string
  readonly epoch: number
  readonly highestEpoch: number
}

/** An activation has begun, or ended in order. */
export interface Activated {
  readonly _tag: "Activated" | "Deactivated"
  readonly of: string
  readonly activation: string
}

/** Writes in the name of one activation. */
export interface Writer {
  readonly activation: string
  readonly write: (what: string) => Effect.Effect<void>
}

/** Of one run: made where its world is built. */
export class OutsideResource {
  /** Activations of each node so far. */
  readonly #counts = new Map<string, number>()

  /** Of a new activation, for as long as the scope is open. */
  writer(of: string): Effect.Effect<Writer, never, SimNode | Scope.Scope> {
    return Effect.gen({ self: this }, function* () {
      const { name } = yield* CurrentNode
      const nth = (this.#counts.get(name) ?? 0) + 1
      this.#counts.set(name, nth)
      const activation = `${of}@${name}#${nth}`
      const say = (fact: Written | Activated) => Facts.emit(fact)
      yield* Effect.acquireRelease(say({ _tag: "Activated", of, activation }), () =>
        say({ _tag: "Deactivated", of, activation })
      )
      const writer: Writer = { activation, write: (what) => say({ _tag: "Written", of, activation, what }) }
      return writer
    })
  }
}

/** Writes in the name of one activation, under the epoch that it says it has; false when that was refused. */
export interface FencedWriter {
  readonly activation: string
  readonly write: (what: string, epoch: number) => Effect.Effect<boolean>
}

/** The same with a fence: it keeps the highest epoch that each has written under, and refuses a lower one. */
export class FencedResource {
  readonly #outside = new OutsideResource()
  readonly #highest = new Map<string, number>()

  writer(of: string): Effect.Effect<FencedWriter, never, SimNode | Scope.Scope> {
    return Effect.map(this.#outside.writer(of), ({ activation, write }) => ({
      activation,
      write: (what, epoch) =>
        Effect.suspend(() => {
          const highestEpoch = this.#highest.get(of) ?? 1
          if (epoch < highestEpoch) {
            const refused: Refused = { _tag: "Refused", of, activation, what, epoch, highestEpoch }
            return Effect.as(Facts.emit(refused), false)
          }
          this.#highest.set(of, epoch)
          return Effect.as(write(what), true)
        })
    }))
  }
}

interface Begun {
  /** Activations in the order in which they began. */
  readonly nth: Map<string, number>
  /** Of what, the newest that has written. */
  readonly newest: Map<string, string>
}

/** What a fencing token of the activation would have refused. */
export const noStaleWrites: Invariant<Begun> = {
  name: "no-stale-writes",
  states: "Nothing is written by an activation after one that began later has written.",
  initial: () => ({ nth: new Map(), newest: new Map() }),
  step: (state, { fact }) => {
    if (isActivated(fact)) state.nth.set(fact.activation, state.nth.size)
    if (!isWritten(fact)) return state
    const { activation, of, what } = fact
    const newest = state.newest.get(of)
    if (newest === undefined || state.nth.get(newest)! <= state.nth.get(activation)!) {
      state.newest.set(of, activation)
      return state
    }
    return new Violation(`${activation} wrote after ${newest}, which began later`, { of, activation, newest, what })
  }
}

const isWritten = (fact: { readonly _tag: string }): fact is Written => fact._tag === "Written"
const isActivated = (fact: { readonly _tag: string }): fact is Activated => fact._tag === "Activated"
