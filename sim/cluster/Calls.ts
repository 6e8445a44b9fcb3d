/**
 * Calls from one simulated node to another, over one connection that is opened on demand, each answered once, in order. What they carry
 * is passed as it is: both sides must leave it unchanged.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { type End, connect, listen } from "../network/Connection.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import type { Network } from "../network/Network.ts"

/** Rough, for the window of the connection. */
const requestBytes = 200
const replyBytes = 300

interface Request {
  readonly _tag: "Request"
  readonly method: string
  readonly argument: unknown
}

interface Reply {
  readonly _tag: "Reply"
  readonly exit: Exit.Exit<unknown, unknown>
}

/** Answers calls for as long as the node runs. `answer` is done at once. */
export const serve = (
  port: number,
  answer: (method: string, argument: unknown) => Exit.Exit<unknown, unknown>
): Effect.Effect<void, never, SimNode> =>
  Effect.gen(function* () {
    const node = yield* CurrentNode
    const network = yield* CurrentNetwork
    listen(network, node, port, (end) => ({
      onMessage: ({ argument, method }: Request) => {
        end.consumed(requestBytes)
        const reply: Reply = { _tag: "Reply", exit: answer(method, argument) }
        end.send(reply, replyBytes, `${method} answered`, { call: method })
      },
      onClose: () => end.close()
    }))
  })

/** Fails with what the other node answers as a failure, which is an `E` too. */
export type Call<E> = <A>(method: string, argument: unknown) => Effect.Effect<A, E>

/** Calls of a node; its connection is kept alive after so long a silence, or not at all. One whose connection ends before its answer has come fails with `lost`, and may have been done. */
export const calling = <E>(
  target: string,
  port: number,
  lost: (why: string) => E,
  keepAliveMillis?: number
): Effect.Effect<Call<E>, never, SimNode> =>
  Effect.gen(function* () {
    const caller = new Caller(yield* CurrentNetwork, yield* CurrentNode, { target, port, keepAliveMillis })
    return <A>(method: string, argument: unknown) =>
      Effect.callback<A, E>((resume) =>
        caller.call({ _tag: "Request", method, argument }, (settled) => {
          // @effect-diagnostics-next-line unsafeEffectTypeAssertion:off
          resume(typeof settled === "string" ? Effect.fail(lost(settled)) : (settled as Exit.Exit<A, E>))
        })
      )
  })

interface Asked {
  readonly request: Request
  readonly settle: (exit: Exit.Exit<unknown, unknown> | string) => void
}

interface Called {
  readonly target: string
  readonly port: number
  readonly keepAliveMillis: number | undefined
}

class Caller {
  readonly #network: Network
  readonly #node: SimNode
  readonly #to: Called
  #end: End | undefined
  /** Sent, in order; the first one's answer comes next. */
  #asked: Array<Asked> = []

  constructor(network: Network, node: SimNode, to: Called) {
    this.#network = network
    this.#node = node
    this.#to = to
  }

  call(request: Request, settle: Asked["settle"]): void {
    this.#node.portCall()
    this.#node.waits(`${this.#to.target}: ${request.method}`)
    this.#asked.push({ request, settle })
    const present = this.#end
    if (present === undefined) this.#connect()
    else if (present.state === "open") send(present, request)
  }

  #connect(): void {
    const { keepAliveMillis, port, target } = this.#to
    const end = connect(this.#network, this.#node, target, port, {
      onOpen: () => {
        if (keepAliveMillis !== undefined) end.keepAlive(keepAliveMillis * 1_000)
        for (const { request } of this.#asked) send(end, request)
      },
      onMessage: (reply: Reply) => {
        end.consumed(replyBytes)
        if (this.#end === end) this.#asked.shift()?.settle(reply.exit)
      },
      onClose: (reason) => {
        if (this.#end !== end) return
        this.#end = undefined
        end.close()
        for (const { settle } of this.#asked.splice(0)) settle(`the connection to ${target} was ${reason}`)
      }
    })
    this.#end = end
  }
}

function send(end: End, request: Request): void {
  end.send(request, requestBytes, request.method, { call: request.method })
}
