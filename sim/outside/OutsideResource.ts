/**
 * Something outside of the cluster that its activations write to. Without a fence it takes whatever comes, and says what came from whom:
 * what a fencing token would have refused is found in that (`noStaleWrites`). With one it refuses it.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { errorsOf } from "../../core/facts/errorsOf.ts"
import * as Facts from "../../core/facts/Facts.ts"
import * as Mark from "../../core/facts/Mark.ts"
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
  /** The message, the step of a workflow, for which it takes effect. */
  readonly message?: string
}

/** A client asks for something, by a key of its own. */
export interface Asked {
  readonly _tag: "Asked"
  readonly message: string
}

/** It was asked in vain, and is asked again. */
export interface AskFailed {
  readonly _tag: "AskFailed"
  readonly message: string
  /** What failed, a line for each error. */
  readonly because: ReadonlyArray<string>
}

/** It has been answered. */
export interface Answered {
  readonly _tag: "Answered"
  readonly message: string
  /** What it was told, as JSON. */
  readonly answer: string
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
  readonly write: (what: string, message?: string) => Effect.Effect<void>
}

/** Where one is not met, invariants of what is written and answered hold of nothing: `simTest` fails. */
export const writtenOutside = Mark.reachable("was anything written outside")
export const askAnswered = Mark.reachable("was anything asked and answered")
/** By the clients of the kits, which ask twice where answers are to agree. */
export const answeredTwice = Mark.reachable("was anything answered twice by one key")

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
      const say = (fact: Activated) => Facts.emit(fact)
      yield* Effect.acquireRelease(say({ _tag: "Activated", of, activation }), () =>
        say({ _tag: "Deactivated", of, activation })
      )
      const writer: Writer = {
        activation,
        write: (what, message) =>
          Effect.andThen(Mark.hit(writtenOutside), Facts.emit(written(of, activation, what, message)))
      }
      return writer
    })
  }
}

/** Writes in the name of one activation, under the epoch that it says it has; false when that was refused. */
export interface FencedWriter {
  readonly activation: string
  readonly write: (what: string, epoch: number, message?: string) => Effect.Effect<boolean>
}

export const staleRefused = Mark.sometimes("stale write refused")

/** The same with a fence: it keeps the highest epoch that each has written under, and refuses a lower one. */
export class FencedResource {
  readonly #outside = new OutsideResource()
  readonly #highest = new Map<string, number>()

  writer(of: string): Effect.Effect<FencedWriter, never, SimNode | Scope.Scope> {
    return Effect.map(this.#outside.writer(of), ({ activation, write }) => ({
      activation,
      write: (what, epoch, message) =>
        Effect.gen({ self: this }, function* () {
          const highestEpoch = this.#highest.get(of) ?? 1
          const isStale = epoch < highestEpoch
          yield* Mark.hit(staleRefused, isStale)
          if (isStale) {
            const refused: Refused = { _tag: "Refused", of, activation, what, epoch, highestEpoch }
            yield* Facts.emit(refused)
            return false
          }
          this.#highest.set(of, epoch)
          yield* write(what, message)
          return true
        })
    }))
  }
}

/** Asks until it is answered, again a second after it failed, whatever with; says what was asked, what failed and what was answered. */
export const asking = <A, E, R>(message: string, ask: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
  Facts.emit<Asked>({ _tag: "Asked", message }).pipe(
    Effect.andThen(persistently(message, ask)),
    Effect.tap(() => Mark.hit(askAnswered)),
    Effect.tap((answer) =>
      Facts.emit<Answered>({ _tag: "Answered", message, answer: JSON.stringify(answer) ?? "nothing" })
    )
  )

const persistently = <A, E, R>(message: string, ask: Effect.Effect<A, E, R>): Effect.Effect<A, never, R> =>
  Effect.catchCause(ask, (cause) =>
    Facts.emit<AskFailed>({ _tag: "AskFailed", message, because: errorsOf(cause) }).pipe(
      Effect.andThen(Effect.sleep("1 second")),
      Effect.andThen(Effect.suspend(() => persistently(message, ask)))
    )
  )

function written(of: string, activation: string, what: string, message: string | undefined): Written {
  return { _tag: "Written", of, activation, what, ...(message === undefined ? {} : { message }) }
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
  needs: [writtenOutside],
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

/**
 * Two activations that write by turns for longer than so. A process that was paused writes once more as it wakes, before its timers can
 * tell it anything, whatever its leases: that alone is not this.
 */
export const noOverlap = ({ longerThanMillis }: { readonly longerThanMillis: number }): Invariant<Overlap> => ({
  name: "no-overlap",
  states: `No activation goes on writing for longer than ${longerThanMillis} ms after a newer one has written.`,
  needs: [writtenOutside],
  initial: () => ({ begun: noStaleWrites.initial(), staleSinceMicros: new Map() }),
  step: (state, envelope) => {
    const stale = noStaleWrites.step(state.begun, envelope)
    if (!(stale instanceof Violation)) return state
    const { activation, newest } = stale.evidence as { readonly activation: string; readonly newest: string }
    const { atMicros } = envelope
    const sinceMicros = state.staleSinceMicros.get(activation) ?? atMicros
    state.staleSinceMicros.set(activation, sinceMicros)
    const forMillis = Math.round((atMicros - sinceMicros) / 1_000)
    if (forMillis <= longerThanMillis) return state
    return new Violation(`${activation} has written for ${forMillis} ms beside ${newest}, which began later`, {
      ...stale.evidence,
      forMillis
    })
  }
})

interface Overlap {
  readonly begun: Begun
  /** When an activation wrote first although a newer one had. */
  readonly staleSinceMicros: Map<string, number>
}

/** At least once is what is left where this does not hold: what takes effect must then be idempotent. */
export const effectsOnce: Invariant<Map<string, Written>> = {
  name: "effects-once",
  states: "Nothing takes effect twice for the same message.",
  needs: [writtenOutside],
  initial: () => new Map(),
  step: (state, { fact }) => {
    if (!isWritten(fact) || fact.message === undefined) return state
    const effect = `${fact.message}: ${fact.what}`
    const before = state.get(effect)
    if (before === undefined) return state.set(effect, fact)
    return new Violation(`${effect} took effect twice, by ${before.activation} and ${fact.activation}`, {
      message: fact.message,
      what: fact.what,
      first: before.activation,
      second: fact.activation
    })
  }
}

/** What a reply that was kept is for: whoever knows it needs nothing done again. */
export const nothingAfterAnswer: Invariant<Map<string, string>> = {
  name: "nothing-after-answer",
  states: "Nothing takes effect for a message that has been answered.",
  needs: [writtenOutside],
  initial: () => new Map(),
  step: (state, { fact }) => {
    if (isAnswered(fact)) return state.set(fact.message, fact.answer)
    if (!isWritten(fact) || fact.message === undefined || !state.has(fact.message)) return state
    return new Violation(`${fact.message} was answered, and then ${fact.activation} did it again`, { ...fact })
  }
}

/** Whoever is told, and asks again by the same key (`asking`), is told the same. */
export const answersAgree: Invariant<Map<string, string>> = {
  name: "answers-agree",
  states: "All answers to one message are the same.",
  needs: [askAnswered],
  initial: () => new Map(),
  step: (state, { fact }) => {
    if (!isAnswered(fact)) return state
    const before = state.get(fact.message)
    if (before === undefined || before === fact.answer) return state.set(fact.message, fact.answer)
    return new Violation(`${fact.message} was answered twice, and not alike`, {
      message: fact.message,
      first: before,
      second: fact.answer
    })
  }
}

const isWritten = (fact: { readonly _tag: string }): fact is Written => fact._tag === "Written"
const isActivated = (fact: { readonly _tag: string }): fact is Activated => fact._tag === "Activated"
const isAnswered = (fact: { readonly _tag: string }): fact is Answered => fact._tag === "Answered"
