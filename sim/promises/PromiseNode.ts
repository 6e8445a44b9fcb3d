/**
 * A node whose program is plain JavaScript with promises, in a world with `isAsync`: time, chance and timers of the host are those of
 * its node, and the network is reached through what it is given.
 *
 *   PromiseNode.add(world, "server", async (host) => {
 *     let count = 0
 *     host.listen(80, async () => ++count)
 *   }).start()
 *   PromiseNode.add(world, "client", async (host) => {
 *     host.tell({ _tag: "Counted", count: await host.call("server", 80, "increment") })
 *   }).start()
 *
 * - P1 Each start is a process of its own: the function is called anew, and keeps nothing but what it has sent.
 * - P2 A node ends when its promise settles, unless it listens: then when it is stopped.
 * - P3 Nothing that a crashed node has begun acts: what it waited for never settles, its timers are dropped, and it says nothing.
 */
import * as Effect from "effect/Effect"
import type { DomainFact } from "../../core/facts/Facts.ts"
import type { WaitingFiber } from "../kernel/FiberWatch.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { clockTag } from "../nemesis/kinds/clock.ts"
import { victimTag } from "../nemesis/kinds/process.ts"
import { type CloseReason, connect, type End, listen } from "../network/Connection.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import type { Network } from "../network/Network.ts"
import type { World, WorldNodeOptions } from "../run/World.ts"

/** What travels: as JSON, so that no two nodes share an object. */
export type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }

export type PromiseProgram = (host: Host) => Promise<unknown>

/** The node, as its program sees it. */
export interface Host {
  readonly name: string
  /** Aborted when the node is to stop; who has not ended by the deadline is crashed. */
  readonly signal: AbortSignal
  /** Answers calls. What `answer` throws is the caller's `CallFailed`. */
  readonly listen: (port: number, answer: (request: Json, from: string) => Promise<Json> | Json) => void
  /**
   * Rejects with `CallFailed` when the other node answers with an error, or when its answer is lost: then it may have been done. Who only
   * waits is told nothing of a node that died or of a link that was cut; give it a signal, as `AbortSignal.timeout(3_000)`.
   */
  readonly call: (node: string, port: number, request: Json, options?: CallOptions) => Promise<Json>
  /** For invariants. */
  readonly tell: (fact: DomainFact) => void
}

export interface CallOptions {
  /** Rejects with its reason; what was asked may be done all the same. */
  readonly signal?: AbortSignal
}

export class CallFailed extends Error {
  override readonly name = "CallFailed"
}

/** Registers a node; not started. Its tags default to those that make it a victim of the kinds `process` and `clock`. */
export const add = (world: World, name: string, program: PromiseProgram, options: WorldNodeOptions = {}): SimNode => {
  if (!world.isAsync) throw new Error(`${name} uses promises: give its scenario isAsync: true`)
  return world.addNode(name, running(program), { tags: [victimTag, clockTag], isInOrder: true, ...options })
}

const running = (program: PromiseProgram): Effect.Effect<void, never, SimNode> =>
  Effect.gen(function* () {
    const node = yield* CurrentNode
    const host = new Hosted(yield* CurrentNetwork, node)
    node.waitsBesides = () => host.waiting()
    yield* Effect.callback<void>((resume) => {
      node.waits("its promise to settle", "inside")
      host.settled = resume
      start(host, program)
      return Effect.callback<void>((resumeStop) => {
        host.settled = resumeStop
        host.stop()
      })
    })
  })

function start(host: Hosted, program: PromiseProgram): void {
  const run = async (): Promise<void> => {
    try {
      await program(host)
      host.end()
    } catch (error) {
      host.fail(error)
    }
  }
  void run()
}

interface Request {
  readonly id: number
  readonly request: string
}

type Reply = { readonly id: number; readonly value: string } | { readonly id: number; readonly error: string }

interface Asked {
  readonly message: Request
  readonly sinceMicros: number
  readonly settle: Settle
}

/** Told how the call ended: calls one of the two. */
type Settle = (how: (resolve: (value: Json) => void, reject: (error: CallFailed) => void) => void) => void

/** What one incarnation has of its node. */
class Hosted implements Host {
  readonly name: string
  readonly #network: Network
  readonly #node: SimNode
  readonly #incarnation: number
  readonly #controller = new AbortController()
  readonly #peers = new Map<string, Peer>()
  /** Told once that the program has ended. */
  settled: (exit: Effect.Effect<void>) => void = () => undefined
  #isListening = false
  #isStopping = false
  #outcome: Effect.Effect<void> | undefined

  constructor(network: Network, node: SimNode) {
    this.name = node.name
    this.#network = network
    this.#node = node
    this.#incarnation = node.incarnation
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  readonly listen: Host["listen"] = (port, answer) => {
    if (!this.isAlive) return
    this.#isListening = true
    listen(this.#network, this.#node, port, (end) => ({
      onMessage: (message: Request) => {
        end.consumed(message.request.length)
        void answering(end, message, answer)
      },
      onClose: () => end.close()
    }))
  }

  readonly call: Host["call"] = (target, port, request, { signal } = {}) => {
    const key = `${target}:${port}`
    const peer = this.#peers.get(key) ?? new Peer(this.#network, this.#node, target, port)
    this.#peers.set(key, peer)
    return new Promise((resolve, reject) => {
      const text = textOf(request)
      if (!this.isAlive) return
      if (signal?.aborted === true) return reject(signal.reason as Error)
      const giveUp = () => {
        forget()
        reject(signal?.reason as Error)
      }
      const forget = peer.ask(text, (settle) => {
        signal?.removeEventListener("abort", giveUp)
        settle(resolve, reject)
      })
      signal?.addEventListener("abort", giveUp, { once: true })
    })
  }

  readonly tell: Host["tell"] = (fact) => {
    if (this.isAlive) this.#node.tell(fact)
  }

  waiting(): ReadonlyArray<WaitingFiber> {
    return [...this.#peers.values()].flatMap((peer) => peer.waiting())
  }

  get isAlive(): boolean {
    return this.#node.state !== "down" && this.#node.incarnation === this.#incarnation
  }

  end(): void {
    this.#settle(Effect.void)
  }

  /** Whoever is told to stop may say so by what the signal rejects with. */
  fail(error: unknown): void {
    if (this.#isStopping && (error === this.signal.reason || isAbort(error))) return this.end()
    this.#isListening = false
    this.#settle(Effect.die(error))
  }

  /** What waits for a listener that has no program any more ends at once. */
  stop(): void {
    this.#isStopping = true
    this.#controller.abort()
    this.#leave()
  }

  #settle(outcome: Effect.Effect<void>): void {
    this.#outcome = outcome
    this.#leave()
  }

  #leave(): void {
    if (this.#outcome === undefined || (this.#isListening && !this.#isStopping) || !this.isAlive) return
    this.settled(this.#outcome)
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError"
}

async function answering(end: End, { id, request }: Request, answer: Parameters<Host["listen"]>[1]): Promise<void> {
  let reply: Reply
  try {
    reply = { id, value: textOf(await answer(JSON.parse(request) as Json, end.link.target)) }
  } catch (error) {
    reply = { id, error: error instanceof Error ? error.message : String(error) }
  }
  if (end.isAlive) send(end, reply)
}

/** The connection to one port of another node, opened on demand; its answers come in any order. */
class Peer {
  readonly #network: Network
  readonly #node: SimNode
  readonly #target: string
  readonly #port: number
  readonly #asked = new Map<number, Asked>()
  #end: End | undefined
  #ids = 0

  constructor(network: Network, node: SimNode, target: string, port: number) {
    this.#network = network
    this.#node = node
    this.#target = target
    this.#port = port
  }

  /** Returns how to expect no answer any more. */
  ask(request: string, settle: Settle): () => void {
    const message = { id: this.#ids++, request }
    this.#asked.set(message.id, { message, sinceMicros: this.#node.host.nowMicros, settle })
    const present = this.#end
    if (present === undefined) this.#connect()
    else if (present.state === "open") send(present, message)
    return () => {
      this.#asked.delete(message.id)
    }
  }

  waiting(): ReadonlyArray<WaitingFiber> {
    return [...this.#asked.values()].map(({ message, sinceMicros }) => ({
      fiber: "a call",
      waitsFor: `${this.#target}:${this.#port}: ${shortened(message.request)}`,
      on: "outside",
      sinceMicros
    }))
  }

  #connect(): void {
    const end = connect(this.#network, this.#node, this.#target, this.#port, {
      onOpen: () => {
        for (const { message } of this.#asked.values()) send(end, message)
      },
      onMessage: (reply: Reply) => this.#answered(end, reply),
      onClose: (reason) => this.#lost(end, reason)
    })
    this.#end = end
  }

  #answered(end: End, reply: Reply): void {
    end.consumed(bytesOf(reply))
    const asked = this.#asked.get(reply.id)
    this.#asked.delete(reply.id)
    asked?.settle((resolve, reject) => {
      if ("error" in reply) reject(new CallFailed(`${this.#target}: ${reply.error}`))
      else resolve(JSON.parse(reply.value) as Json)
    })
  }

  #lost(end: End, reason: CloseReason): void {
    if (this.#end !== end) return
    this.#end = undefined
    end.close()
    const lost = [...this.#asked.values()]
    this.#asked.clear()
    const error = new CallFailed(`the connection to ${this.#target} was ${reason}`)
    for (const { settle } of lost) settle((_resolve, reject) => reject(error))
  }
}

function send(end: End, message: Request | Reply): void {
  end.send(message, bytesOf(message), contentOf(message), { call: shortened(contentOf(message)) })
}

function bytesOf(message: Request | Reply): number {
  return contentOf(message).length
}

function contentOf(message: Request | Reply): string {
  return "request" in message ? message.request : "value" in message ? message.value : message.error
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** Undefined is no JSON: it travels as null. */
function textOf(value: Json): string {
  return JSON.stringify(value) ?? "null"
}
