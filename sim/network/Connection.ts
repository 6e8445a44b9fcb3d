/**
 * Connections: two ordered streams of messages between two nodes, as TCP gives them.
 *
 * - T1 Within a connection nothing is lost, doubled or reordered: what cannot pass is sent again until it passes or the limit is
 *   reached, and then the sender's end fails; the other end is not told.
 * - T2 A node that is down says nothing. Once it runs again, whatever arrives for its former life is answered with a
 *   reset.
 * - T3 Callbacks run as tasks of the end's own node; while it is paused they wait.
 *
 * Used from both sides with plain callbacks:
 *
 *   listen(network, node, 5432, (end) => ({ onMessage: (value) => end.send(value, 1), onClose: (reason) => … }))
 *   const end = connect(network, node, "database", 5432, { onOpen: () => …, onMessage: …, onClose: … })
 */
import * as Chance from "../kernel/Chance.ts"
import { FactKind } from "../kernel/FactStream.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import type { Link, Network } from "./Network.ts"

/** Why an end is closed: by the peer in order, by a reset, because nobody listens, or because no answer came in time. */
export type CloseReason = "closed" | "reset" | "refused" | "timeout"

export interface Handlers {
  readonly onOpen?: () => void
  readonly onMessage: (value: never) => void
  readonly onClose: (reason: CloseReason) => void
}

/** How long a sender tries before its end fails. */
export const retransmitLimitMicros = 15_000_000
const retransmitMicrosMin = 200_000
const retransmitMicrosMax = 3_000_000
/** How long a connect is tried. */
export const connectLimitMicros = 10_000_000
/** A sender with more than this on its way is to wait. */
export const windowBytes = 262_144

/** One message of a connection, and what its facts are made of. */
interface Segment {
  readonly from: End
  readonly value: unknown
  readonly bytes: number
  readonly shows: object
  readonly nth: number
  readonly isLast: boolean
  cause: number
}

const sent = new FactKind<Segment>("Sent", (connection, nth, { from, shows, bytes }) => ({
  _tag: "Sent",
  to: from.link.target,
  connection,
  nth,
  bytes,
  ...shows
}))

const delivered = new FactKind<Segment>("Delivered", (connection, nth, { from, shows, bytes }) => ({
  _tag: "Delivered",
  from: from.link.source,
  connection,
  nth,
  bytes,
  ...shows
}))

const closed = new FactKind<{ readonly peer: string; readonly reason: CloseReason }>(
  "Closed",
  (connection, _second, { peer, reason }) => ({ _tag: "Closed", peer, connection, reason }) as { _tag: "Closed" }
)

const shownNothing = {} as const

/** One end of a connection, owned by one incarnation of one node. */
export class End {
  readonly network: Network
  readonly node: SimNode
  readonly incarnation: number
  /** From this end to its peer. */
  readonly link: Link
  /** Number of the connection on the link of the end that opened it. */
  readonly connection: number
  readonly port: number
  readonly #key: Chance.Key
  state: "opening" | "open" | "closed" = "opening"
  handlers: Handlers | undefined
  peer: End | undefined
  /** What was sent and not yet taken by the peer's program. */
  outstandingBytes = 0
  /** Called when the peer has taken enough that a waiting sender may go on. */
  onDrain: (() => void) | undefined
  #count = 0
  #lastArrivalMicros = 0
  #backlog: Array<Segment> = []
  #retryMicros = 0
  /** When the first of what could not pass was tried; nothing has passed since. */
  #stuckSinceMicros: number | undefined
  #isRetrying = false
  /** Nothing passes any more in this direction, and nobody is told. */
  #isDead = false
  #isFinished = false

  constructor(network: Network, node: SimNode, link: Link, connection: number, port: number, side: string) {
    this.network = network
    this.node = node
    this.incarnation = node.incarnation
    this.link = link
    this.connection = connection
    this.port = port
    this.#key = Chance.derive(link.key, `${connection}/${side}`)
  }

  /** The chance of this direction, for what its users decide per message. */
  get key(): Chance.Key {
    return this.#key
  }

  get isWindowFull(): boolean {
    return this.outstandingBytes >= windowBytes
  }

  /** Sends a message; `content` (bytes or text) goes into the digest, `shows` into the trace. */
  send(value: unknown, bytes: number, content: Uint8Array | string, shows: object = shownNothing): void {
    this.#transmit(value, bytes, content, shows, false)
  }

  /** Closes in order: the peer is told after everything that was sent before. */
  close(): void {
    if (this.state === "closed") return
    if (this.state === "open") this.#transmit(undefined, 0, "close", { close: true }, true)
    this.#shut()
  }

  /** Sends no more, but hears what the peer has sent before it is told; the peer then closes too. */
  finish(): void {
    if (this.state !== "open" || this.#isFinished) return
    this.#transmit(undefined, 0, "close", { close: true }, true)
    this.#isFinished = true
  }

  /** Closes at once at both ends; what is on its way is lost. */
  abort(): void {
    if (this.state === "closed") return
    this.#shut()
    this.#backlog = []
    this.#sendReset()
  }

  /** From now on nothing passes in this direction; the sender learns it by its retransmission limit. */
  kill(): void {
    this.#isDead = true
  }

  /** The program has taken a message of so many bytes. */
  consumed(bytes: number): void {
    const { peer } = this
    if (peer === undefined || bytes === 0) return
    const wasFull = peer.isWindowFull
    peer.outstandingBytes -= bytes
    if (!wasFull || peer.isWindowFull) return
    // The acknowledgement travels too.
    this.network.kernel.schedule(
      this.network.latency.maximumMicros,
      () => {
        if (peer.isAlive) peer.node.receive(() => peer.onDrain?.(), undefined)
      },
      undefined
    )
  }

  /** True while the node still lives the life in which this end was made. */
  get isAlive(): boolean {
    return this.node.state !== "down" && this.node.incarnation === this.incarnation
  }

  open(): void {
    if (this.state === "opening") this.state = "open"
  }

  /** Ends this end and tells its program. */
  fail(reason: CloseReason): void {
    if (this.state === "closed") return
    this.#shut()
    if (!this.isAlive) return
    this.network.kernel.facts.emit(closed, this.node, this.connection, 0, { peer: this.link.target, reason })
    this.node.receive(() => this.handlers?.onClose(reason), undefined)
  }

  #shut(): void {
    this.state = "closed"
    this.onDrain = undefined
  }

  #transmit(value: unknown, bytes: number, content: Uint8Array | string, shows: object, isLast: boolean): void {
    if (this.state !== "open" || this.#isFinished) return
    const { facts } = this.network.kernel
    const nth = this.#count++
    const segment: Segment = { from: this, value, bytes, shows, nth, isLast, cause: 0 }
    segment.cause = facts.emit(sent, this.node, this.connection, nth, segment)
    if (typeof content === "string") facts.digest.mixText(content)
    else facts.digest.mixBytes(content)
    this.outstandingBytes += bytes
    if (this.#backlog.length > 0) this.#backlog.push(segment)
    else this.#launch(segment)
  }

  /** True when the segment is on its way. */
  #launch(segment: Segment): boolean {
    const { kernel } = this.network
    const fate = this.#isDead
      ? "Drop"
      : this.network.fate(this.link, "segment", this.connection, segment.nth, this.#key)
    if (typeof fate === "number") {
      const atMicros = Math.max(kernel.nowMicros + fate, this.#lastArrivalMicros)
      this.#lastArrivalMicros = atMicros
      kernel.schedule(atMicros - kernel.nowMicros, arrive, segment, segment.cause)
      return true
    }
    if (fate === "Reset") {
      this.#sendReset()
      this.fail("reset")
      return false
    }
    if (fate === "Dead") this.#isDead = true
    this.#backlog.push(segment)
    this.#await(fate === "Hold")
    return false
  }

  /** What could not pass is tried again: after a while, or as soon as a rule lets go. */
  #await(isHeld: boolean): void {
    if (this.#isRetrying) return
    const { kernel } = this.network
    this.#isRetrying = true
    this.#stuckSinceMicros ??= kernel.nowMicros
    this.#retryMicros = retransmitMicrosMin
    if (isHeld) this.network.onRelease(() => this.#retry())
    this.#retryLater()
  }

  #retryLater(): void {
    this.network.kernel.schedule(
      this.#retryMicros,
      () => {
        this.#retryMicros = Math.min(this.#retryMicros * 2, retransmitMicrosMax)
        this.#retry()
        if (this.#isRetrying) this.#retryLater()
      },
      undefined
    )
  }

  #retry(): void {
    if (!this.#isRetrying) return
    const isOver = !this.isAlive || (this.state === "closed" && this.#backlog.length === 0)
    const segments = this.#backlog
    if (isOver || segments.length === 0) {
      this.#isRetrying = false
      this.#backlog = []
      return
    }
    const stuckSinceMicros = this.#stuckSinceMicros ?? this.network.kernel.nowMicros
    if (this.network.kernel.nowMicros - stuckSinceMicros >= retransmitLimitMicros) {
      this.#isRetrying = false
      this.#backlog = []
      this.fail("timeout")
      return
    }
    this.#backlog = []
    for (const [index, segment] of segments.entries()) {
      if (this.#launch(segment)) continue
      this.#backlog.push(...segments.slice(index + 1))
      return
    }
    this.#isRetrying = false
  }

  /** A segment has come to the peer's host. */
  passed(): void {
    this.#stuckSinceMicros = undefined
  }

  /** A segment found its node down: it counts as lost. */
  lost(segment: Segment): void {
    this.#backlog.push(segment)
    this.#backlog = this.#backlog.toSorted((left, right) => left.nth - right.nth)
    this.#await(false)
  }

  #sendReset(): void {
    const { peer } = this
    if (peer === undefined) return
    const fate = this.network.fate(this.link, "segment", this.connection, this.#count++, this.#key)
    const delay = typeof fate === "number" ? fate : this.network.latency.maximumMicros
    if (fate === "Drop" || fate === "Hold" || fate === "Dead" || this.#isDead) return
    this.network.kernel.schedule(delay, () => peer.fail("reset"), undefined)
  }
}

function arrive(segment: Segment): void {
  const { from } = segment
  const { peer, network } = from
  if (peer === undefined) return
  if (peer.node.state === "down") {
    from.lost(segment)
    return
  }
  from.passed()
  const { facts } = network.kernel
  if (!peer.isAlive || peer.state === "closed") {
    // Nobody knows this connection any more: reset, unless it was a goodbye.
    if (segment.isLast) return
    const delay = network.latency.maximumMicros
    network.kernel.schedule(delay, () => from.fail("reset"), undefined)
    return
  }
  facts.cause = facts.emit(delivered, peer.node, from.connection, segment.nth, segment)
  if (segment.isLast) {
    if (from.state === "open") peer.finish()
    peer.fail("closed")
  } else peer.node.receive(take, segment)
}

function take({ from: { peer }, value }: Segment): void {
  if (peer !== undefined && peer.state !== "closed") peer.handlers?.onMessage(value as never)
}

export type Accept = (end: End) => Handlers

/** Accepts connections to a port of this incarnation; returns how to stop. Throws when the port is taken. */
export const listen = (network: Network, node: SimNode, port: number, accept: Accept): (() => void) => {
  const { ports } = network
  const address = `${node.name}:${port}`
  const present = ports.get(address)
  if (present !== undefined && present.incarnation === node.incarnation) {
    throw new Error(`${address} is listened to already`)
  }
  const listener = { node, incarnation: node.incarnation, accept }
  ports.set(address, listener)
  return () => {
    if (ports.get(address) === listener) ports.delete(address)
  }
}

/** Opens a connection; `onOpen` or `onClose` follows. */
export const connect = (network: Network, node: SimNode, target: string, port: number, handlers: Handlers): End => {
  const { kernel } = network
  const link = network.link(node.name, target)
  const connection = link.connections++
  const end = new End(network, node, link, connection, port, "opener")
  end.handlers = handlers
  const key = Chance.derive(link.key, "connect")
  const startedMicros = kernel.nowMicros
  let attempts = 0
  const attempt = (): void => {
    if (end.state !== "opening" || !end.isAlive) return
    if (kernel.nowMicros - startedMicros >= connectLimitMicros) {
      end.fail("timeout")
      return
    }
    const nth = connection * 64 + attempts++
    if (network.hazards.hit("network/refused", `${link.name}/connect`, nth) !== undefined) {
      kernel.schedule(network.latency.maximumMicros, () => end.fail("refused"), undefined)
      return
    }
    const fate = network.fate(link, "connect", connection, nth, key)
    if (fate === "Reset") {
      kernel.schedule(network.latency.maximumMicros, () => end.fail("reset"), undefined)
      return
    }
    if (typeof fate === "number") kernel.schedule(fate, () => reach(network, end, target), undefined)
    kernel.schedule(retransmitMicrosMin * 2 ** Math.min(attempts, 4), attempt, undefined)
  }
  attempt()
  return end
}

/** The request to connect has come to the target's host. */
function reach(network: Network, end: End, target: string): void {
  const { kernel } = network
  const host = network.host(target)
  if (end.state !== "opening" || !end.isAlive || end.peer !== undefined) return
  if (host !== undefined && host.state === "down") return
  const back = network.link(target, end.node.name)
  const answer = network.fate(back, "connect", end.connection, 0, Chance.derive(back.key, "accept"))
  const listener = network.ports.get(`${target}:${end.port}`)
  if (host === undefined || listener === undefined || listener.incarnation !== host.incarnation) {
    if (typeof answer === "number") kernel.schedule(answer, () => end.fail("refused"), undefined)
    return
  }
  if (typeof answer !== "number") return
  const peer = new End(network, host, back, end.connection, end.port, "accepter")
  peer.peer = end
  end.peer = peer
  peer.open()
  host.receive(() => {
    peer.handlers = (listener.accept as Accept)(peer)
    peer.handlers.onOpen?.()
  }, undefined)
  kernel.schedule(
    answer,
    () => {
      if (end.state !== "opening" || !end.isAlive) return
      end.open()
      end.node.receive(() => end.handlers?.onOpen?.(), undefined)
    },
    undefined
  )
}
