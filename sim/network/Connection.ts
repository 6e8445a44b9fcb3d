/**
 * Connections: two ordered streams of messages between two nodes, as TCP gives them.
 *
 * - T1 Within a connection nothing is lost, doubled or reordered: what cannot pass is sent again until it passes or the limit is
 *   reached, and then the sender's end fails; the other end is not told, and learns it when it sends something itself.
 * - T2 A node that is down says nothing. Once it runs again, whatever arrives for its former life is answered with a
 *   reset.
 * - T3 Callbacks run as tasks of the end's own node, in the order of what they tell: slow or paused, it takes up later what
 *   has come, and an orderly end comes after everything before it.
 * - T4 An end that has something to send, or waits for room to, is not left in silence: what it sends is taken, or it fails.
 *
 * Used from both sides with plain callbacks:
 *
 *   listen(network, node, 5432, (end) => ({ onMessage: (value) => end.send(value, 1), onClose: (reason) => … }))
 *   const end = connect(network, node, "database", 5432, { onOpen: () => …, onMessage: …, onClose: … })
 */
import type * as Chance from "../kernel/Chance.ts"
import type { Event } from "../kernel/EventHeap.ts"
import { FactKind } from "../kernel/FactStream.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { Flow, type Keeper, type Link, type Network } from "./Network.ts"

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
/** A sender that waits for room asks so often whether the other end is still there. */
const probeMicros = 5_000_000

/** One message of a connection, and what its facts are made of. */
interface Segment {
  readonly from: End
  /** `open` answers a connect, `probe` asks for life, `last` says that nothing follows. */
  readonly kind: "open" | "message" | "probe" | "last"
  readonly value: unknown
  readonly bytes: number
  readonly shows: object
  readonly nth: number
  cause: number
  /** How often it was tried. */
  attempts: number
}

/** What an end has to tell its program: a message, or how its life goes on. */
type News = Segment | Accept | "open" | "drained" | CloseReason

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
  (connection, _second, { peer, reason }) => ({ _tag: "Closed", peer, connection, reason }) as { _tag: "Closed" },
  ({ reason }) => reason
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
  readonly #flow: Flow
  state: "opening" | "open" | "closed" = "opening"
  handlers: Handlers | undefined
  peer: End | undefined
  /** What was sent and not yet taken by the peer's program. */
  outstandingBytes = 0
  /** Called when the peer has taken enough that a waiting sender may go on, and when there is nothing more to wait for. */
  onDrain: (() => void) | undefined
  #count = 0
  #lastArrivalMicros = 0
  /** What could not pass, in order; it is asked for the first of them whether it passes now. */
  #backlog: Array<Segment> = []
  #retry: Event | undefined
  #retryMicros = retransmitMicrosMin
  /** When the first of what could not pass was tried; nothing has passed since. */
  #stuckSinceMicros: number | undefined
  #keptBy: Keeper | undefined
  #isProbing = false
  /** When the peer's host was last heard of. */
  #heardMicros = 0
  /** Nothing passes any more in this direction, and nobody is told. */
  #isDead = false
  /** The last message was sent, or need not be. */
  #isFinished = false
  /** Nothing is sent any more, not even what waits. */
  #isSevered = false
  /** What the program has still to be told: the next, mostly the only one, and those behind it. */
  #news: News | undefined
  readonly #laterNews: Array<News> = []

  constructor(network: Network, node: SimNode, link: Link, connection: number, port: number, side: string) {
    this.network = network
    this.node = node
    this.incarnation = node.incarnation
    this.link = link
    this.connection = connection
    this.port = port
    this.#flow = new Flow(link, connection, `${connection}/${side}`)
  }

  /** The chance of this direction, for what its users decide per message. */
  get key(): Chance.Key {
    return this.#flow.key
  }

  /** How much may be on its way before who sends is to wait. */
  windowBytes: number = windowBytes

  get isWindowFull(): boolean {
    return this.outstandingBytes >= this.windowBytes
  }

  /** Sends a message; `content` (bytes or text) goes into the digest, `shows` into the trace. */
  send(value: unknown, bytes: number, content: Uint8Array | string, shows: object = shownNothing): void {
    this.#transmit("message", value, bytes, content, shows)
  }

  /** Closes in order: the peer is told after everything that was sent before. */
  close(): void {
    if (this.state === "closed") return
    if (this.state === "open") this.#transmit("last", undefined, 0, "close", { close: true })
    this.#shut()
  }

  /** Sends no more, but hears what the peer has sent before it is told; the peer then closes too. */
  finish(): void {
    if (this.state !== "open" || this.#isFinished) return
    this.#transmit("last", undefined, 0, "close", { close: true })
    this.#isFinished = true
  }

  /** Closes at once at both ends; what is on its way is lost. */
  abort(): void {
    if (this.state === "closed") return
    this.#shut()
    this.#sever()
    this.#sendReset()
  }

  /** From now on nothing passes in this direction; the sender learns it by its retransmission limit. */
  kill(): void {
    this.#isDead = true
  }

  /**
   * From now on the peer is asked for life when nothing has come from its host for so long, as TCP does where a program wants it
   * (`SO_KEEPALIVE`): where nobody answers, or nobody knows the connection any more, this end fails.
   */
  keepAlive(idleMicros: number): void {
    const { kernel } = this.network
    const look = (): void => {
      if (this.state !== "open" || !this.isAlive) return
      const leftMicros = this.#heardMicros + idleMicros - kernel.nowMicros
      if (leftMicros <= 0) this.#askForLife()
      kernel.schedule(leftMicros <= 0 ? idleMicros : leftMicros, look, undefined)
    }
    this.#heardMicros = kernel.nowMicros
    kernel.schedule(idleMicros, look, undefined)
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

  /** Begins the life of the end that was connected to, and answers. */
  accept(accept: Accept): void {
    this.state = "open"
    this.#tell(accept)
    this.#dispatch(this.#segment("open", undefined, 0, shownNothing))
  }

  /** Ends this end and tells its program; what has come and was not taken is lost. */
  fail(reason: Exclude<CloseReason, "closed">): void {
    this.#sever()
    if (this.state === "closed") return
    this.state = "closed"
    this.#tell(reason)
  }

  /** Tells the program the first of its news; there is one task for each, so that their own order does not matter. */
  takeNews(): void {
    const news = this.#news
    this.#news = this.#laterNews.length === 0 ? undefined : this.#laterNews.shift()
    if (typeof news === "object") {
      if (this.state !== "closed") this.handlers?.onMessage(news.value as never)
    } else if (typeof news === "function") {
      this.handlers = news(this)
      if (this.state !== "closed") this.handlers.onOpen?.()
    } else if (news === "open") {
      if (this.state !== "closed") this.handlers?.onOpen?.()
    } else if (news === "drained") this.onDrain?.()
    else if (news === "closed") {
      if (this.state !== "closed") this.#close(news)
    } else if (news !== undefined) this.#close(news)
  }

  /** A segment of the peer has come to this end's host. */
  arrived(segment: Segment): void {
    const from = this.peer as End
    if (this.node.state === "down") return from.#lost(segment)
    if (!this.isAlive || this.state === "closed") {
      // Nobody knows this connection any more: reset, unless it was a goodbye.
      if (segment.kind === "last" || this.#sendReset()) from.#passed()
      else from.#lost(segment)
      return
    }
    from.#passed()
    this.#heardMicros = this.network.kernel.nowMicros
    const { facts } = this.network.kernel
    switch (segment.kind) {
      case "probe":
        return
      case "open":
        this.state = "open"
        return this.#tell("open")
    }
    facts.cause = facts.emit(delivered, this.node, from.connection, segment.nth, segment)
    if (segment.kind === "message") return this.#tell(segment)
    // The other end still listens, or not: either way nothing more is sent but the answer to its goodbye.
    if (from.state === "open") this.finish()
    this.#isFinished = true
    this.#tell("closed")
  }

  #tell(news: News): void {
    if (!this.isAlive) return
    if (this.#news === undefined) this.#news = news
    else this.#laterNews.push(news)
    this.node.receive(takeNews, this)
  }

  #close(reason: CloseReason): void {
    this.state = "closed"
    this.network.kernel.facts.emit(closed, this.node, this.connection, 0, { peer: this.link.target, reason })
    this.handlers?.onClose(reason)
    this.onDrain?.()
  }

  #shut(): void {
    this.state = "closed"
    if (this.onDrain !== undefined) this.#tell("drained")
  }

  #sever(): void {
    this.#isSevered = true
    this.#backlog = []
    this.#stopRetrying()
  }

  #transmit(
    kind: "message" | "last",
    value: unknown,
    bytes: number,
    content: Uint8Array | string,
    shows: object
  ): void {
    if (this.state !== "open" || this.#isFinished) return
    const { facts } = this.network.kernel
    const segment = this.#segment(kind, value, bytes, shows)
    segment.cause = facts.emit(sent, this.node, this.connection, segment.nth, segment)
    if (typeof content === "string") facts.digest.mixText(content)
    else facts.digest.mixBytes(content)
    this.outstandingBytes += bytes
    this.#dispatch(segment)
    if (this.isWindowFull) this.#probe()
  }

  #segment(kind: Segment["kind"], value: unknown, bytes: number, shows: object): Segment {
    const { cause } = this.network.kernel.facts
    return { from: this, kind, value, bytes, shows, nth: this.#count++, cause, attempts: 0 }
  }

  #dispatch(segment: Segment): void {
    if (this.#backlog.length > 0) this.#backlog.push(segment)
    else this.#launch(segment)
  }

  /** True when the segment is on its way; else it is the first of those that wait, or there is no way any more. */
  #launch(segment: Segment): boolean {
    const { facts } = this.network.kernel
    const { cause } = facts
    // What a fault does to a message follows from its Sent.
    facts.cause = segment.cause
    const isOnItsWay = this.#decide(segment)
    facts.cause = cause
    return isOnItsWay
  }

  #decide(segment: Segment): boolean {
    const { kernel } = this.network
    const { kind, nth, value } = segment
    const earliestMicros = Math.max(0, this.#lastArrivalMicros - kernel.nowMicros)
    const fate = this.#isDead
      ? "Drop"
      : this.network.fate(
          this.#flow,
          kind === "open" ? "connect" : "segment",
          nth,
          value,
          segment.attempts++,
          earliestMicros
        )
    if (typeof fate === "number") {
      this.#keptBy = undefined
      this.#lastArrivalMicros = kernel.nowMicros + fate
      kernel.schedule(fate, arrive, segment, segment.cause)
      return true
    }
    if (fate === "Reset") {
      const { peer } = this
      this.fail("reset")
      if (peer !== undefined) kernel.schedule(this.network.latency.maximumMicros, () => peer.fail("reset"), undefined)
      return false
    }
    if (fate === "Dead") this.#isDead = true
    else if (typeof fate === "object" && fate !== this.#keptBy) {
      this.#keptBy = fate
      fate.keep(() => this.#retryNow())
    }
    this.#backlog.unshift(segment)
    this.#retryLater()
    return false
  }

  /** What could not pass is tried again: after a while, or as soon as a rule lets go. */
  #retryLater(): void {
    if (this.#retry !== undefined) return
    const { kernel } = this.network
    if (this.#stuckSinceMicros === undefined) {
      this.#stuckSinceMicros = kernel.nowMicros
      this.#retryMicros = retransmitMicrosMin
    } else if (kernel.nowMicros - this.#stuckSinceMicros >= retransmitLimitMicros) return this.fail("timeout")
    this.#retry = kernel.schedule(this.#retryMicros, () => this.#retryNow(), undefined)
    this.#retryMicros = Math.min(this.#retryMicros * 2, retransmitMicrosMax)
  }

  #stopRetrying(): void {
    if (this.#retry !== undefined) this.#retry.cancelled = true
    this.#retry = undefined
  }

  #retryNow(): void {
    this.#stopRetrying()
    if (!this.isAlive) return this.#sever()
    for (;;) {
      const segment = this.#backlog.shift()
      if (segment === undefined || !this.#launch(segment)) return
    }
  }

  /** A segment was taken by the peer's host. */
  #passed(): void {
    this.#stuckSinceMicros = undefined
    this.#heardMicros = this.network.kernel.nowMicros
  }

  /** A segment was taken by nobody, and is sent again. */
  #lost(segment: Segment): void {
    if (this.#isSevered) return
    this.#backlog = [...this.#backlog, segment].toSorted((left, right) => left.nth - right.nth)
    this.#retryLater()
  }

  /** Whoever waits for room has nothing on its way that would tell it of the other's death. */
  #probe(): void {
    if (this.#isProbing) return
    this.#isProbing = true
    const { kernel } = this.network
    const probe = (): void => {
      if (!this.isWindowFull || this.state !== "open" || !this.isAlive) this.#isProbing = false
      else {
        this.#askForLife()
        kernel.schedule(probeMicros, probe, undefined)
      }
    }
    kernel.schedule(probeMicros, probe, undefined)
  }

  #askForLife(): void {
    if (this.#backlog.length === 0) this.#dispatch(this.#segment("probe", undefined, 0, shownNothing))
  }

  /** False when the peer cannot be told: it will learn it by what it sends itself. */
  #sendReset(): boolean {
    const { peer, network } = this
    if (peer === undefined || peer.#isSevered) return true
    if (this.#isDead) return false
    const fate = network.fate(this.#flow, "reset", this.#count++, undefined)
    if (typeof fate === "number") network.kernel.schedule(fate, () => peer.fail("reset"), undefined)
    else if (typeof fate === "object") fate.keep(() => this.#sendReset())
    return typeof fate === "number"
  }
}

function arrive(segment: Segment): void {
  segment.from.peer?.arrived(segment)
}

function takeNews(end: End): void {
  end.takeNews()
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
  const flow = new Flow(link, connection, `${connection}/connect`)
  const startedMicros = kernel.nowMicros
  let attempts = 0
  let keptBy: Keeper | undefined
  /** Nobody has answered yet, and somebody still asks. */
  const isAsking = () => end.state === "opening" && end.isAlive && end.peer === undefined
  const failLater = (reason: "refused" | "reset"): void => {
    kernel.schedule(
      network.latency.maximumMicros,
      () => {
        if (!isAsking()) return
        if (reason === "refused") kernel.facts.effect("network/refused")
        end.fail(reason)
      },
      undefined
    )
  }
  const send = (nth: number): void => {
    if (!isAsking()) return
    const fate = network.fate(flow, "connect", nth, undefined)
    if (typeof fate === "number") kernel.schedule(fate, () => reach(network, end, target, nth), undefined)
    else if (typeof fate === "object" && fate !== keptBy) {
      keptBy = fate
      fate.keep(() => send(nth))
    } else if (fate === "Reset") failLater("reset")
  }
  const attempt = (): void => {
    if (end.state !== "opening" || !end.isAlive) return
    const leftMicros = startedMicros + connectLimitMicros - kernel.nowMicros
    if (leftMicros <= 0) return end.fail("timeout")
    const nth = attempts++
    if (isAsking() && network.strikes("network/refused", link, flow.name, nth)) failLater("refused")
    else send(nth)
    kernel.schedule(Math.min(retransmitMicrosMin * 2 ** Math.min(attempts, 4), leftMicros), attempt, undefined)
  }
  attempt()
  return end
}

/** The nth request to connect has come to the target's host. */
function reach(network: Network, end: End, target: string, nth: number): void {
  const host = network.host(target)
  if (end.state !== "opening" || !end.isAlive || end.peer !== undefined) return
  if (host !== undefined && host.state === "down") return
  const back = network.link(target, end.node.name)
  const listener = network.ports.get(`${target}:${end.port}`)
  if (host === undefined || listener === undefined || listener.incarnation !== host.incarnation) {
    const fate = network.fate(new Flow(back, end.connection, `${end.connection}/refusal`), "reset", nth, undefined)
    if (typeof fate !== "number") return
    network.kernel.schedule(
      fate,
      () => {
        if (end.state === "opening") end.fail("refused")
      },
      undefined
    )
    return
  }
  const peer = new End(network, host, back, end.connection, end.port, "accepter")
  peer.peer = end
  end.peer = peer
  peer.accept(listener.accept as Accept)
}
