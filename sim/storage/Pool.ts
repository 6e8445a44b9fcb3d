/**
 * A storage client's connections to the database, as drivers keep them: opened on demand up to a size, used by one
 * transaction at a time, and forgotten as soon as anything about them is doubtful.
 *
 * - O1 A connection has at most one request under way; further ones wait their turn.
 * - O2 A request is settled once: by its reply, or as lost when the connection ended or no answer came in time.
 * - O3 Who waits for a connection is served in order of arrival, or fails when its time is up.
 */
import { type Reason, Unavailable } from "../../core/ports/Storage.ts"
import type { Event } from "../kernel/EventHeap.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { type End, connect } from "../network/Connection.ts"
import type { Network } from "../network/Network.ts"
import {
  type Command,
  type Reply,
  type Request,
  type ToClient,
  cancelBytes,
  databasePort,
  describe,
  messageBytes,
  requestBytes
} from "./Wire.ts"

export interface PoolOptions {
  /** The host name of the database. */
  readonly database: string
  readonly connectionsMax: number
  /** How long a transaction waits for a connection. */
  readonly acquireTimeoutMillis: number
  /** A request without an answer by then is given up, and its connection with it. */
  readonly answerTimeoutMillis: number
}

/** A silent client is silent for so long: longer than the database lets a transaction be idle. */
export const silenceMicros = 4_000_000

export type Settled =
  | Reply
  /** `reason` is what the database said last, if it said anything. */
  | { readonly _tag: "Lost"; readonly wasSent: boolean; readonly reason: Reason }

/** A request on its way or waiting for its turn. */
export interface Call {
  readonly request: Request
  readonly settle: (settled: Settled) => void
  wasSent: boolean
  sentAtMicros: number
  /** A fault keeps the program from hearing anything of it for now. */
  isSilenced: boolean
}

/** Somebody who waits for a connection. */
interface Waiter {
  readonly serve: (connection: Connection | Unavailable) => void
  timer: Event | undefined
}

export class Connection {
  readonly #pool: Pool
  readonly #end: End
  #underWay: Call | undefined
  readonly #queue: Array<Call> = []
  #requests = 0
  #lastWord: Reason | undefined
  isLost = false

  constructor(pool: Pool, onOpen: (connection: Connection) => void) {
    this.#pool = pool
    const { network, node, options } = pool
    this.#end = connect(network, node, options.database, databasePort, {
      onOpen: () => onOpen(this),
      onMessage: (message: ToClient) => this.#receive(message),
      onClose: (reason) => this.lost(`the connection was ${words[reason]}`)
    })
  }

  /** Sends the commands when everything before is answered. `settle` runs as a task of the node. */
  call(label: string, commands: ReadonlyArray<Command>, settle: (settled: Settled) => void): Call {
    const request: Request = { _tag: "Request", nth: this.#requests++, label, commands }
    const call: Call = { request, settle, wasSent: false, sentAtMicros: 0, isSilenced: false }
    if (this.isLost) this.#lose(call, "the connection is closed")
    else if (this.#underWay === undefined) this.#send(call)
    else this.#queue.push(call)
    return call
  }

  /**
   * Takes back a request that was not sent, and says so; asks the database to give up one that was. Its reply, whatever
   * it says, still settles the call.
   */
  cancel(call: Call): "taken back" | "asked" {
    const position = this.#queue.indexOf(call)
    if (position >= 0) {
      this.#queue.splice(position, 1)
      return "taken back"
    }
    if (this.#underWay === call) {
      this.#end.send({ _tag: "Cancel", nth: call.request.nth }, cancelBytes, "cancel", { storage: "Cancel" })
    }
    return "asked"
  }

  /** Leaves in order. */
  close(): void {
    this.isLost = true
    this.#end.close()
  }

  lost(detail: string): void {
    if (this.isLost) return
    this.isLost = true
    this.#end.abort()
    this.#pool.forget(this)
    const underWay = this.#underWay
    this.#underWay = undefined
    for (const call of [...(underWay === undefined ? [] : [underWay]), ...this.#queue.splice(0)]) {
      if (!call.isSilenced) this.#lose(call, detail)
    }
  }

  /** When the request under way was sent. */
  get waitingSinceMicros(): number | undefined {
    return this.#underWay?.sentAtMicros
  }

  #send(call: Call): void {
    const { request } = call
    this.#underWay = call
    call.wasSent = true
    call.sentAtMicros = this.#pool.node.clock.monotonicMicros()
    this.#pool.watch()
    const shows = describe(request)
    this.#end.send(request, requestBytes, shows, { storage: shows, label: request.label })
  }

  #receive(message: ToClient): void {
    this.#end.consumed(messageBytes(message))
    if (message._tag === "Probe") return
    if (message._tag === "Fatal") {
      this.#lastWord = message.reason
      return
    }
    const call = this.#underWay
    if (call === undefined || call.request.nth !== message.nth) throw new Error("a reply to no request")
    const delayMicros = this.#pool.silenceOf(this.#end, call)
    if (delayMicros === 0) return this.#settle(call, message)
    call.isSilenced = true
    this.#pool.node.setTimer(delayMicros, () => {
      if (this.isLost) this.#lose(call, "the connection is closed")
      else this.#settle(call, message)
    })
  }

  #lose(call: Call, detail: string): void {
    call.settle({ _tag: "Lost", wasSent: call.wasSent, reason: this.#reason(detail) })
  }

  #settle(call: Call, reply: Reply): void {
    if (this.#underWay !== call) return
    this.#underWay = undefined
    const next = this.#queue.shift()
    if (next !== undefined) this.#send(next)
    call.settle(reply)
  }

  #reason(detail: string): Reason {
    return this.#lastWord ?? new Unavailable({ detail })
  }
}

const words = {
  closed: "closed by the database",
  reset: "reset",
  refused: "refused",
  timeout: "given up after too many retransmissions"
} as const

export class Pool {
  readonly network: Network
  readonly node: SimNode
  readonly options: PoolOptions
  readonly #connections = new Set<Connection>()
  /** Open and unused, most recently used last. */
  readonly #idle: Array<Connection> = []
  readonly #waiters: Array<Waiter> = []
  #acquired = 0
  #watching: Event | undefined

  constructor(network: Network, node: SimNode, options: PoolOptions) {
    this.network = network
    this.node = node
    this.options = options
  }

  /** Serves a connection, perhaps at once. The answer gives up waiting. */
  acquire(serve: (connection: Connection | Unavailable) => void): () => void {
    const { hazards } = this.network
    const nth = this.#acquired++
    const isExhausted =
      hazards.isAnyActive && hazards.hit("storage/pool-exhausted", `${this.node.name}/pool`, nth) !== undefined
    const idle = isExhausted ? undefined : this.#idle.pop()
    if (idle !== undefined) {
      serve(idle)
      return () => undefined
    }
    const waiter: Waiter = { serve, timer: undefined }
    waiter.timer = this.node.setTimer(this.options.acquireTimeoutMillis * 1_000, () => {
      this.#remove(waiter)
      serve(new Unavailable({ detail: "no connection could be had in time" }))
    })
    if (isExhausted) return () => this.#remove(waiter)
    this.#waiters.push(waiter)
    this.#grow()
    return () => this.#remove(waiter)
  }

  /** The connection is free again. */
  release(connection: Connection): void {
    if (connection.isLost) return
    const waiter = this.#waiters.shift()
    if (waiter === undefined) this.#idle.push(connection)
    else this.#serve(waiter, connection)
  }

  /** The connection is gone. If it could not even be opened, one waiter learns it. */
  forget(connection: Connection): void {
    this.#connections.delete(connection)
    const position = this.#idle.indexOf(connection)
    if (position >= 0) this.#idle.splice(position, 1)
    if (this.#opening.delete(connection)) {
      const waiter = this.#waiters.shift()
      if (waiter !== undefined) this.#serve(waiter, new Unavailable({ detail: "the database could not be reached" }))
    }
    this.#grow()
  }

  /** Closes every connection: the node is being stopped. */
  close(): void {
    for (const connection of this.#connections) connection.close()
    this.#connections.clear()
    this.#idle.length = 0
  }

  /** One timer for all requests: it looks for those that have waited too long. */
  watch(): void {
    if (this.#watching !== undefined) return
    const { clock } = this.node
    const limitMicros = this.options.answerTimeoutMillis * 1_000
    const look = (): void => {
      this.#watching = undefined
      let oldestMicros = Infinity
      for (const connection of Array.from(this.#connections)) {
        const sinceMicros = connection.waitingSinceMicros
        if (sinceMicros === undefined) continue
        if (clock.monotonicMicros() - sinceMicros >= limitMicros) connection.lost("no answer in time")
        else oldestMicros = Math.min(oldestMicros, sinceMicros)
      }
      if (oldestMicros !== Infinity) wait(oldestMicros + limitMicros - clock.monotonicMicros())
    }
    const wait = (ownMicros: number): void => {
      this.#watching ??= this.node.setTimer(clock.worldDelayMicros(ownMicros), look)
    }
    wait(limitMicros)
  }

  /** How long a fault keeps the program from hearing this reply, while its transaction stays open. */
  silenceOf(end: End, { request }: Call): number {
    const { hazards } = this.network
    if (!hazards.isAnyActive) return 0
    const leavesOpen = !request.commands.some(({ _tag }) => _tag === "Commit" || _tag === "Rollback")
    const subject = `${end.link.name}/${end.connection}`
    return leavesOpen && hazards.hit("storage/silent-client", subject, request.nth) !== undefined ? silenceMicros : 0
  }

  readonly #opening = new Set<Connection>()

  #grow(): void {
    while (this.#waiters.length > this.#opening.size && this.#connections.size < this.options.connectionsMax) {
      const connection = new Connection(this, (open) => {
        this.#opening.delete(open)
        this.release(open)
      })
      this.#connections.add(connection)
      this.#opening.add(connection)
    }
  }

  #serve(waiter: Waiter, connection: Connection | Unavailable): void {
    if (waiter.timer !== undefined) waiter.timer.cancelled = true
    waiter.serve(connection)
  }

  #remove(waiter: Waiter): void {
    if (waiter.timer !== undefined) waiter.timer.cancelled = true
    const position = this.#waiters.indexOf(waiter)
    if (position >= 0) this.#waiters.splice(position, 1)
  }
}
