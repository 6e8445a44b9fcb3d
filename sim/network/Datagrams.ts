/**
 * Datagrams, for protocols that tolerate loss: each may be lost, doubled, late or out of order. Of the simulator only.
 *
 * Messages are values: whoever sends one does not change it afterwards.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DomainFact } from "../../core/facts/Facts.ts"
import type { FactKind } from "../kernel/FactStream.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { CurrentNetwork } from "./CurrentNetwork.ts"
import type { Inbox, Link, Network } from "./Network.ts"

export interface Datagram {
  readonly from: string
  readonly message: unknown
}

export class Datagrams extends Context.Service<
  Datagrams,
  {
    /** Sends and forgets; a host that does not exist loses everything. */
    readonly send: (to: string, message: unknown) => Effect.Effect<void>
    /** The next one, in the order of arrival; one receiver at a time. */
    readonly receive: Effect.Effect<Datagram>
  }
>()("stormglass/sim/network/Datagrams") {}

export const layer: Layer.Layer<Datagrams, never, SimNode> = Layer.effect(
  Datagrams,
  Effect.gen(function* () {
    const node = yield* CurrentNode
    const network = yield* CurrentNetwork
    const mailbox = new Mailbox(network, node)
    network.inbox(node.name).mailbox = mailbox
    return Datagrams.of({
      send: (to, message) => Effect.sync(() => mailbox.send(to, message)),
      receive: mailbox.receive
    })
  })
)

const sent: FactKind<Link> = {
  tag: "DatagramSent",
  describe: (nth, _second, link) => ({ _tag: "DatagramSent", to: link.target, nth }) as DomainFact
}

const delivered: FactKind<Link> = {
  tag: "DatagramDelivered",
  describe: (nth, _second, link) => ({ _tag: "DatagramDelivered", from: link.source, nth }) as DomainFact
}

/** A datagram on its way, and then in the mailbox until somebody takes it. */
class Travelling {
  readonly link: Link
  readonly inbox: Inbox
  readonly nth: number
  readonly datagram: Datagram
  /** The fact that what its receiver does follows from: first its Sent, then its Delivered. */
  cause: number

  constructor(link: Link, inbox: Inbox, nth: number, datagram: Datagram, cause: number) {
    this.link = link
    this.inbox = inbox
    this.nth = nth
    this.datagram = datagram
    this.cause = cause
  }
}

interface Route {
  readonly link: Link
  readonly inbox: Inbox
}

/** A plain list and one parked receiver: what a general queue would cost is most of a message. */
class Mailbox {
  readonly #network: Network
  readonly #node: SimNode
  readonly #incarnation: number
  readonly #routes = new Map<string, Route>()
  #waiting: Array<Travelling> = []
  #head = 0
  #resume: ((effect: Effect.Effect<Datagram>) => void) | undefined
  #isWaking = false

  constructor(network: Network, node: SimNode) {
    this.#network = network
    this.#node = node
    this.#incarnation = node.incarnation
  }

  send(to: string, message: unknown): void {
    const { link, inbox } = this.#routes.get(to) ?? this.#route(to)
    const { hazards, kernel, latency } = this.#network
    const { facts } = kernel
    const nth = link.datagrams++
    const cause = facts.emit(sent, this.#node, nth, 0, link)
    facts.digest.mixValue(message)
    const fate = this.#network.fate(link, "datagram", -1, nth, link.key)
    const datagram = { from: link.source, message }
    if (typeof fate === "number") {
      kernel.schedule(fate, arrive, new Travelling(link, inbox, nth, datagram, cause), cause)
      if (hazards.isAnyActive && hazards.hit("network/duplication", link.name, nth) !== undefined) {
        const double = new Travelling(link, inbox, nth, datagram, cause)
        kernel.schedule(fate + latency.maximumMicros, arrive, double, cause)
      }
    } else if (fate === "Hold") {
      const held = new Travelling(link, inbox, nth, datagram, cause)
      this.#network.onRelease(() => kernel.schedule(0, arrive, held, cause))
    }
  }

  /** Taken by the fiber itself when it resumes, so that one that was interrupted meanwhile takes nothing. */
  readonly receive: Effect.Effect<Datagram> = Effect.suspend(() => {
    if (this.#head === this.#waiting.length) return this.#park
    this.#node.portCall()
    const travelling = this.#waiting[this.#head++] as Travelling
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    }
    this.#network.kernel.facts.cause = travelling.cause
    return Effect.succeed(travelling.datagram)
  })

  readonly #park: Effect.Effect<Datagram> = Effect.callback((resume) => {
    this.#node.waits("a datagram")
    this.#resume = resume
  })

  get isOpen(): boolean {
    return this.#node.state !== "down" && this.#node.incarnation === this.#incarnation
  }

  /** One task wakes the receiver, however many have arrived by then. */
  put(travelling: Travelling): void {
    const { facts } = this.#network.kernel
    facts.cause = travelling.cause = facts.emit(delivered, this.#node, travelling.nth, 0, travelling.link)
    this.#waiting.push(travelling)
    if (this.#resume === undefined || this.#isWaking) return
    this.#isWaking = true
    this.#node.receive(wake, this)
  }

  wake(): void {
    const resume = this.#resume
    this.#isWaking = false
    this.#resume = undefined
    resume?.(this.receive)
  }

  #route(to: string): Route {
    const route = { link: this.#network.link(this.#node.name, to), inbox: this.#network.inbox(to) }
    this.#routes.set(to, route)
    return route
  }
}

function wake(mailbox: Mailbox): void {
  mailbox.wake()
}

function arrive(travelling: Travelling): void {
  const mailbox = travelling.inbox.mailbox as Mailbox | undefined
  if (mailbox?.isOpen === true) mailbox.put(travelling)
}
