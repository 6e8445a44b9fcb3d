/**
 * Datagrams, for protocols that tolerate loss: each may be lost, doubled, late or out of order. Of the simulator only.
 *
 * Messages are values: whoever sends one does not change it afterwards.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { DomainFact } from "../../core/facts/Facts.ts"
import { FactKind } from "../kernel/FactStream.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { CurrentNetwork } from "./CurrentNetwork.ts"
import { Flow, type Inbox, type Link, type Network } from "./Network.ts"

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

const sent = new FactKind<Link>(
  "DatagramSent",
  (nth, _second, link) => ({ _tag: "DatagramSent", to: link.target, nth }) as DomainFact
)

const delivered = new FactKind<Link>(
  "DatagramDelivered",
  (nth, _second, link) => ({ _tag: "DatagramDelivered", from: link.source, nth }) as DomainFact
)

/** A datagram on its way, and then in the mailbox until somebody takes it. */
class Travelling {
  readonly route: Route
  readonly nth: number
  readonly datagram: Datagram
  /** The fact that what its receiver does follows from: first its Sent, then its Delivered. */
  cause: number

  constructor(route: Route, nth: number, datagram: Datagram, cause: number) {
    this.route = route
    this.nth = nth
    this.datagram = datagram
    this.cause = cause
  }
}

interface Route {
  readonly link: Link
  readonly flow: Flow
  readonly inbox: Inbox
}

/** A plain list and one parked receiver: what a general queue would cost is most of a message. */
class Mailbox {
  readonly #network: Network
  readonly #node: SimNode
  readonly #incarnation: number
  readonly #routes = new Map<string, Route>()
  // What has arrived, from head to tail; the list keeps its room.
  #waiting: Array<Travelling | undefined> = []
  #head = 0
  #tail = 0
  #resume: ((effect: Effect.Effect<Datagram>) => void) | undefined
  #isWaking = false

  constructor(network: Network, node: SimNode) {
    this.#network = network
    this.#node = node
    this.#incarnation = node.incarnation
  }

  send(to: string, message: unknown): void {
    const route = this.#routes.get(to) ?? this.#route(to)
    const { link } = route
    const { facts } = this.#network.kernel
    const nth = link.datagrams++
    const cause = facts.emit(sent, this.#node, nth, link.key, link)
    facts.digest.mixValue(message)
    this.#transmit(new Travelling(route, nth, { from: link.source, message }, cause))
  }

  #transmit(travelling: Travelling): void {
    const network = this.#network
    const { kernel } = network
    const { cause, datagram, nth, route } = travelling
    const { cause: because } = kernel.facts
    // What a fault does to a datagram follows from its Sent.
    kernel.facts.cause = cause
    const fate = network.fate(route.flow, "datagram", nth, datagram.message)
    if (typeof fate === "number") {
      kernel.schedule(fate, arrive, travelling, cause)
      if (network.strikes("network/duplication", route.link, route.flow.name, nth)) {
        kernel.facts.effect("network/duplication")
        const double = new Travelling(route, nth, datagram, cause)
        kernel.schedule(fate + network.latency.maximumMicros, arrive, double, cause)
      }
    } else if (typeof fate === "object") fate.keep(() => this.#transmit(travelling))
    kernel.facts.cause = because
  }

  /** The `resume` of a fiber that was interrupted meanwhile does nothing, and takes nothing. */
  readonly receive: Effect.Effect<Datagram> = Effect.callback((resume) => {
    if (this.#head !== this.#tail) return resume(Effect.succeed(this.#next()))
    this.#node.waits("a datagram")
    this.#resume = resume
  })

  readonly #take: Effect.Effect<Datagram> = Effect.sync(() => this.#next())

  #next(): Datagram {
    this.#node.portCall()
    const travelling = this.#waiting[this.#head]
    if (travelling === undefined) throw new Error(`two fibers of ${this.#node.name} receive at once`)
    this.#waiting[this.#head++] = undefined
    if (this.#head === this.#tail) this.#head = this.#tail = 0
    else if (this.#head > 1_024) {
      this.#waiting = this.#waiting.slice(this.#head, this.#tail)
      this.#tail -= this.#head
      this.#head = 0
    }
    this.#network.kernel.facts.cause = travelling.cause
    return travelling.datagram
  }

  get isOpen(): boolean {
    return this.#node.state !== "down" && this.#node.incarnation === this.#incarnation
  }

  /** One task wakes the receiver, however many have arrived by then. */
  put(travelling: Travelling): void {
    const { facts } = this.#network.kernel
    facts.cause = travelling.cause = facts.emit(delivered, this.#node, travelling.nth, 0, travelling.route.link)
    this.#waiting[this.#tail++] = travelling
    if (this.#resume === undefined || this.#isWaking) return
    this.#isWaking = true
    this.#node.receive(wake, this)
  }

  wake(): void {
    const resume = this.#resume
    this.#isWaking = false
    if (resume === undefined || this.#head === this.#tail) return
    this.#resume = undefined
    resume(this.#take)
  }

  #route(to: string): Route {
    const link = this.#network.link(this.#node.name, to)
    const route = { link, flow: new Flow(link, -1, "datagrams"), inbox: this.#network.inbox(to) }
    this.#routes.set(to, route)
    return route
  }
}

function wake(mailbox: Mailbox): void {
  mailbox.wake()
}

function arrive(travelling: Travelling): void {
  const mailbox = travelling.route.inbox.mailbox as Mailbox | undefined
  if (mailbox?.isOpen === true) mailbox.put(travelling)
}
