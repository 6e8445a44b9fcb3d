/**
 * The driver's stream on a simulated node: what it uses of Node's `Duplex`, on a simulated connection. Nothing here waits for a
 * turn of the host: events are told as tasks of the node.
 */
import type { SimNode } from "../kernel/SimNode.ts"
import { type End, connect } from "../network/Connection.ts"
import type { Network } from "../network/Network.ts"
import { silenceMicros } from "../storage/Pool.ts"
import { databasePort } from "../storage/Wire.ts"
import * as Wire from "./Wire.ts"

type Listener = (argument?: unknown) => void
type EventName = "data" | "end" | "error" | "close" | "connect"

/** What there is to tell the driver, in order. */
type News = Uint8Array | "closed" | "broken"

export class NodeStream {
  writable = true
  readonly #network: Network
  readonly #node: SimNode
  readonly #end: End
  readonly #reader = new Wire.Reader()
  readonly #listeners = new Map<EventName, Array<Listener>>()
  /** Written before the connection was there. */
  #early: Array<Uint8Array> | undefined = []
  /** Not told yet: the driver has paused, or a fault keeps it from hearing. */
  readonly #news: Array<News> = []
  #isPaused = false
  #isSilenced = false
  #isFinished = false
  #isDestroyed = false

  constructor(network: Network, node: SimNode, database: string, keepAliveMillis?: number) {
    this.#network = network
    this.#node = node
    this.#end = connect(network, node, database, databasePort, {
      onOpen: () => {
        if (keepAliveMillis !== undefined) this.#end.keepAlive(keepAliveMillis * 1_000)
        const early = this.#early ?? []
        this.#early = undefined
        for (const bytes of early) this.#transmit(bytes)
        if (this.#isFinished) this.#end.close()
      },
      onMessage: (message: Wire.ToClient) => this.#receive(message),
      onClose: (reason) => this.#tell(reason === "closed" ? "closed" : "broken")
    })
  }

  on(event: EventName, listener: Listener): this {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
    if (event === "data") this.#deliver()
    return this
  }

  once(event: EventName, listener: Listener): this {
    const once: Listener = (argument) => {
      this.off(event, once)
      listener(argument)
    }
    return this.on(event, once)
  }

  off(event: EventName, listener: Listener): this {
    this.#listeners.set(
      event,
      (this.#listeners.get(event) ?? []).filter((other) => other !== listener)
    )
    return this
  }

  write(bytes: Uint8Array): boolean {
    this.#node.portCall()
    this.#node.waits("the database")
    if (this.#early === undefined) this.#transmit(bytes)
    else this.#early.push(bytes)
    return true
  }

  end(bytes?: Uint8Array): this {
    if (bytes !== undefined) this.write(bytes)
    this.writable = false
    this.#isFinished = true
    if (this.#early === undefined) this.#end.close()
    return this
  }

  destroy(): this {
    this.writable = false
    this.#isDestroyed = true
    this.#news.length = 0
    this.#end.close()
    return this
  }

  pause(): this {
    this.#isPaused = true
    return this
  }

  resume(): this {
    this.#isPaused = false
    this.#deliver()
    return this
  }

  #transmit(bytes: Uint8Array): void {
    this.#end.send({ bytes } satisfies Wire.ToDatabase, bytes.length, bytes, this.#reader.read(bytes))
  }

  #receive({ bytes, isOpen, nth }: Wire.ToClient): void {
    this.#end.consumed(bytes.length === 0 ? 1 : bytes.length)
    if (bytes.length === 0) return
    const { hazards } = this.#network
    const subject = `${this.#end.link.name}/${this.#end.connection}`
    const isStruck =
      isOpen &&
      nth !== undefined &&
      hazards.isAnyActive &&
      hazards.hit("storage/silent-client", subject, nth) !== undefined
    if (isStruck && !this.#isSilenced) {
      this.#isSilenced = true
      this.#node.setTimer(silenceMicros, () => {
        this.#isSilenced = false
        this.#deliver()
      })
    }
    this.#tell(bytes)
  }

  #tell(news: News): void {
    this.#news.push(news)
    this.#deliver()
  }

  #deliver(): void {
    while (!this.#isPaused && !this.#isSilenced && !this.#isDestroyed) {
      const [news] = this.#news
      // What nobody listens to yet is kept, as streams do.
      if (news === undefined || (news instanceof Uint8Array && !this.#hears("data"))) return
      this.#news.shift()
      if (news instanceof Uint8Array) this.#emit("data", news)
      else this.#close(news)
    }
  }

  #close(why: "closed" | "broken"): void {
    this.writable = false
    if (why === "broken") this.#emit("error", new Error("the connection to the database broke"))
    else this.#emit("end")
    this.#emit("close")
    this.#isDestroyed = true
  }

  #hears(event: EventName): boolean {
    return (this.#listeners.get(event)?.length ?? 0) > 0
  }

  #emit(event: EventName, argument?: unknown): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(argument)
  }
}
