/**
 * The stream of everything known about a run. Every fact is counted and mixed into the digest; only those that somebody
 * listens to are built as objects, because a run has millions and a sweep reads few.
 */
import type { Envelope } from "../../core/facts/Envelope.ts"
import type { DomainFact } from "../../core/facts/Facts.ts"
import * as Chance from "./Chance.ts"
import { Digest } from "./Digest.ts"

/**
 * A kind of fact of the simulator: emitted as up to two integers and one payload, described only when somebody listens.
 * `tag` must be unique.
 */
export class FactKind<in P = unknown> {
  readonly tag: string
  readonly describe: (first: number, second: number, payload: P) => DomainFact
  /** What of the payload counts in the digest, where the integers do not say it. */
  readonly text: ((payload: P) => string) | undefined
  /** What stands for the kind in the digest. */
  readonly hash: number

  constructor(
    tag: string,
    describe: (first: number, second: number, payload: P) => DomainFact,
    text?: (payload: P) => string
  ) {
    this.tag = tag
    this.describe = describe
    this.text = text
    this.hash = Chance.hashText(tag)
  }
}

/** Who speaks: a node, or the world. */
export interface Speaker {
  readonly name: string
  readonly index: number
  readonly incarnation: number
}

export type Subscriber = (envelope: Envelope) => void

const faultEffect = new FactKind<string>(
  "FaultEffect",
  (_first, _second, fault) => ({ _tag: "FaultEffect", fault }) as DomainFact,
  (fault) => fault
)

const world: Speaker = { name: "", index: -1, incarnation: 0 }

export class FactStream {
  readonly digest: Digest
  /** The id of the last fact. */
  count = 0
  /** The fact because of which the present step runs. */
  cause = 0
  /** How often each fault kind changed something: a delivery, a result, a lock, a clock reading, a life. */
  readonly effects = new Map<string, number>()
  readonly #clock: { readonly nowMicros: number }
  readonly #subscribers: Array<Subscriber> = []
  readonly #detailed: Array<Subscriber> = []

  constructor(clock: { readonly nowMicros: number }, digest: Digest = new Digest()) {
    this.#clock = clock
    this.digest = digest
  }

  get nowMicros(): number {
    return this.#clock.nowMicros
  }

  /** Hears what core and the store say. Returns the function that ends it, as does `subscribeDetailed`. */
  subscribe(subscriber: Subscriber): () => void {
    return add(this.#subscribers, subscriber)
  }

  /** Hears everything, down to each send, delivery and timer. */
  subscribeDetailed(subscriber: Subscriber): () => void {
    return add(this.#detailed, subscriber)
  }

  /** A fact of the simulator. Returns its id, to be the cause of what follows. */
  emit<P>(kind: FactKind<P>, speaker: Speaker | undefined, first: number, second: number, payload: P): number {
    const by = speaker ?? world
    const id = ++this.count
    const { digest } = this
    digest.mixFact(kind.hash, this.#clock.nowMicros, by.index * 4096 + by.incarnation, this.cause, first, second)
    if (kind.text !== undefined) digest.mixText(kind.text(payload))
    if (this.#detailed.length > 0) {
      const envelope = this.#envelope(id, by, kind.describe(first, second, payload))
      for (const subscriber of this.#detailed) subscriber(envelope)
    }
    return id
  }

  /** A fact that core, the store or a fault tells: always built, heard by every subscriber. */
  tell<F extends DomainFact>(speaker: Speaker | undefined, fact: F): number {
    const by = speaker ?? world
    const id = ++this.count
    const { digest } = this
    digest.mix(this.#clock.nowMicros)
    digest.mix(by.index * 4096 + by.incarnation)
    digest.mix(this.cause)
    digest.mixValue(fact)
    if (this.#subscribers.length + this.#detailed.length > 0) {
      const envelope = this.#envelope(id, by, fact)
      for (const subscriber of this.#subscribers) subscriber(envelope)
      for (const subscriber of this.#detailed) subscriber(envelope)
    }
    return id
  }

  /** A fault changed something. Returns the fact's id. */
  effect(fault: string, speaker?: Speaker): number {
    this.effects.set(fault, (this.effects.get(fault) ?? 0) + 1)
    return this.emit(faultEffect, speaker, 0, 0, fault)
  }

  #envelope(id: number, by: Speaker, fact: DomainFact): Envelope {
    return { id, atMicros: this.#clock.nowMicros, node: by.name, incarnation: by.incarnation, cause: this.cause, fact }
  }
}

function add(subscribers: Array<Subscriber>, subscriber: Subscriber): () => void {
  subscribers.push(subscriber)
  return () => {
    const index = subscribers.indexOf(subscriber)
    if (index >= 0) subscribers.splice(index, 1)
  }
}
