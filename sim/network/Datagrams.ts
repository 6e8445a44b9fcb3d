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
import type { Link, Network } from "./Network.ts"

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
    const mailbox = new Mailbox(yield* CurrentNetwork, node)
    mailbox.network.mailboxes.set(node.name, mailbox)
    return Datagrams.of({
      send: (to, message) => Effect.sync(() => mailbox.send(to, message)),
      receive: Effect.callback((resume) => mailbox.take(resume))
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

interface Travelling {
  readonly link: Link
  readonly nth: number
  readonly datagram: Datagram
  readonly network: Network
}

/** A plain list and one parked receiver: what a general queue would cost is most of a message. */
export class Mailbox {
  readonly network: Network
  readonly #node: SimNode
  readonly #incarnation: number
  readonly #links = new Map<string, Link>()
  #waiting: Array<Datagram> = []
  #head = 0
  #resume: ((effect: Effect.Effect<Datagram>) => void) | undefined

  constructor(network: Network, node: SimNode) {
    this.network = network
    this.#node = node
    this.#incarnation = node.incarnation
  }

  send(to: string, message: unknown): void {
    const { network } = this
    let link = this.#links.get(to)
    if (link === undefined) this.#links.set(to, (link = network.link(this.#node.name, to)))
    const nth = link.datagrams++
    const { kernel } = network
    const cause = kernel.facts.emit(sent, this.#node, nth, 0, link)
    kernel.facts.digest.mixValue(message)
    const fate = network.fate(link, "datagram", -1, nth, link.key)
    const travelling: Travelling = { link, nth, datagram: { from: link.source, message }, network }
    if (typeof fate === "number") {
      kernel.schedule(fate, arrive, travelling, cause)
      if (network.hazards.isAnyActive && network.hazards.hit("network/duplication", link.name, nth) !== undefined) {
        kernel.schedule(fate + network.latency.maximumMicros, arrive, travelling, cause)
      }
    } else if (fate === "Hold") network.onRelease(() => kernel.schedule(0, arrive, travelling, cause))
  }

  /** Gives the next datagram to `resume`, now or when it comes. Returns how to give up. */
  take(resume: (effect: Effect.Effect<Datagram>) => void): Effect.Effect<void> | undefined {
    if (this.#head < this.#waiting.length) {
      resume(Effect.succeed(this.#next()))
      return undefined
    }
    this.#node.waits("a datagram")
    this.#resume = resume
    return Effect.sync(() => {
      this.#resume = undefined
    })
  }

  put(datagram: Datagram): void {
    if (this.#node.incarnation !== this.#incarnation) return
    this.#waiting.push(datagram)
    if (this.#resume !== undefined) this.#node.receive(wake, this)
  }

  wake(): void {
    const resume = this.#resume
    if (resume === undefined || this.#head === this.#waiting.length) return
    this.#resume = undefined
    resume(Effect.succeed(this.#next()))
  }

  #next(): Datagram {
    const datagram = this.#waiting[this.#head++] as Datagram
    if (this.#head === this.#waiting.length) {
      this.#waiting = []
      this.#head = 0
    }
    return datagram
  }
}

function wake(mailbox: Mailbox): void {
  mailbox.wake()
}

function arrive({ datagram, link, network, nth }: Travelling): void {
  const host = network.host(link.target)
  const mailbox = network.mailboxes.get(link.target)
  if (host === undefined || host.state === "down" || mailbox === undefined) return
  const { facts } = network.kernel
  facts.cause = facts.emit(delivered, host, nth, 0, link)
  mailbox.put(datagram)
}
