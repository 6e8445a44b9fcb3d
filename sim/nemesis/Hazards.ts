/**
 * Hazards: the chances of the present moment, by fault kind. Whoever could be struck (a link, a session, a client, a
 * provider) asks here, naming the occurrence; the plan in force decides.
 *
 * - H1 The answer is a pure function of (seed, kind, occurrence): asking about one never changes another.
 * - H2 Every strike is recorded, so that rates can be pinned to what happened.
 */
import * as Chance from "../kernel/Chance.ts"
import type { OnChoicePoint } from "../kernel/ChoicePoint.ts"
import type { FactStream } from "../kernel/FactStream.ts"

/** A hazard in force: a plan entry of a kind that strikes by occurrence. */
export interface Hazard {
  /** Position of the entry in its plan; strikes are recorded under it. */
  readonly entry: number
  /** Which subjects (nodes, links as "a>b", clients) it may strike. */
  readonly covers: (subject: string) => boolean
  /** Probability of each occurrence; 1 strikes every one, and with `struck` it is ignored. */
  readonly rate: number
  /** The occurrences to strike and no other, when pinned. */
  readonly struck: ReadonlySet<string> | undefined
  /** What the kind takes besides: a delay, a factor. */
  readonly parameters: Readonly<Record<string, number>>
}

/** What an entry did: the entry, and the occurrence it struck. */
export interface Strike {
  readonly entry: number
  readonly atMicros: number
  readonly occurrence: string
  /** What was drawn for it, under the name of the parameter that a plan gives it by. */
  readonly drawn?: { readonly parameter: string; readonly amount: number }
}

export class Hazards {
  readonly #facts: FactStream
  readonly #key: Chance.Key
  readonly #active = new Map<string, Array<Hazard>>()
  /** By kind and subject: each is asked for every message of its subject. */
  readonly #keys = new Map<string, Map<string, Chance.Key>>()
  readonly strikes: Array<Strike> = []
  /** Hears of every occurrence that could be struck. */
  onChoicePoint: OnChoicePoint | undefined

  constructor(facts: FactStream, key: Chance.Key) {
    this.#facts = facts
    this.#key = key
  }

  /** Puts a hazard in force; returns the function that ends it. */
  add(kind: string, hazard: Hazard): () => void {
    const hazards = this.#active.get(kind) ?? []
    this.#active.set(kind, [...hazards, hazard])
    return () => {
      const rest = (this.#active.get(kind) ?? []).filter((other) => other !== hazard)
      if (rest.length === 0) this.#active.delete(kind)
      else this.#active.set(kind, rest)
    }
  }

  /** False while nothing can strike and nobody listens: spares the hot path its questions. */
  get isAnyActive(): boolean {
    return this.#active.size > 0 || this.onChoicePoint !== undefined
  }

  /** True while any hazard of the kind is in force. */
  isActive(kind: string): boolean {
    return this.#active.has(kind)
  }

  /**
   * The hazard that strikes the nth occurrence of `subject`, if one does. The caller makes it happen and tells when it
   * changed something: a strike alone is no effect.
   */
  strike(kind: string, subject: string, nth: number): Hazard | undefined {
    if (this.onChoicePoint !== undefined) {
      const atMicros = this.#facts.nowMicros
      this.onChoicePoint({ _tag: "Hazard", atMicros, kind, occurrence: `${subject}#${nth}` })
    }
    const hazards = this.#active.get(kind)
    if (hazards === undefined) return undefined
    for (const hazard of hazards) {
      if (!hazard.covers(subject)) continue
      const strikes =
        hazard.struck === undefined
          ? Chance.happens(this.#keyOf(kind, subject), nth, hazard.rate)
          : hazard.struck.has(`${subject}#${nth}`)
      if (!strikes) continue
      this.strikes.push({ entry: hazard.entry, atMicros: this.#facts.nowMicros, occurrence: `${subject}#${nth}` })
      return hazard
    }
    return undefined
  }

  #keyOf(kind: string, subject: string): Chance.Key {
    let keys = this.#keys.get(kind)
    if (keys === undefined) this.#keys.set(kind, (keys = new Map()))
    let key = keys.get(subject)
    if (key === undefined) keys.set(subject, (key = Chance.derive(this.#key, `${kind}/${subject}`)))
    return key
  }

  /** `strike`, told as an effect at once: for kinds where being struck is the change. */
  hit(kind: string, subject: string, nth: number): Hazard | undefined {
    const hazard = this.strike(kind, subject, nth)
    if (hazard !== undefined) this.#facts.effect(kind)
    return hazard
  }

  /** The last strike's amount, where the plan did not give one. */
  drew(parameter: string, amount: number): void {
    const last = this.strikes.pop()
    if (last !== undefined) this.strikes.push({ ...last, drawn: { parameter, amount } })
  }

  /** Uniform in [0, 1) for a struck occurrence: how long, how much. */
  fraction(kind: string, subject: string, nth: number): number {
    return Chance.fraction(Chance.derive(this.#key, `${kind}/${subject}/amount`), nth)
  }
}
