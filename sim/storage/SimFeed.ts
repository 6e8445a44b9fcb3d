/**
 * The change feed of a simulated node: one connection for what it asks, opened on demand, and one for each who wants hints.
 * A connection that ends is opened again; what it was to answer is `Unavailable`.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { feedChangesMax } from "../../core/Limits.ts"
import { Compacted, Feed, FeedError, ForeignCursor, type Hints } from "../../core/ports/Feed.ts"
import { Unavailable } from "../../core/ports/Storage.ts"
import type { Topic } from "../../core/ports/Topic.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { type End, connect } from "../network/Connection.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import type { Network } from "../network/Network.ts"
import { type FeedReply, type FeedRequest, feedPort, feedReplyBytes, feedRequestBytes } from "./FeedServer.ts"

export interface FeedOptions {
  /** The host name of the database. */
  readonly database: string
  /** What has no answer by then is given up, and its connection with it. */
  readonly answerTimeoutMillis: number
  readonly listenAgainMillis: number
}

const defaultOptions: FeedOptions = { database: "database", answerTimeoutMillis: 3_000, listenAgainMillis: 500 }

/** The port, for a program on a simulated node. */
export const layer = (options: Partial<FeedOptions> = {}): Layer.Layer<Feed, never, SimNode> =>
  Layer.effect(
    Feed,
    Effect.gen(function* () {
      const client = new Client(yield* CurrentNetwork, yield* CurrentNode, { ...defaultOptions, ...options })
      yield* Effect.addFinalizer(() => Effect.sync(() => client.close()))
      return make(client)
    })
  )

const make = (client: Client): Feed["Service"] => ({
  list: (tables) =>
    Effect.map(client.ask("Listed", { _tag: "List", tables: tables.map(({ name }) => name) }), ({ cursor, rows }) => ({
      cursor,
      rows
    })),
  poll: (cursor, options = {}) =>
    Effect.flatMap(
      client.ask("Polled", { _tag: "Poll", cursor, changesMax: options.changesMax ?? feedChangesMax }),
      ({ polled }) => {
        switch (polled._tag) {
          case "Batch":
            return Effect.succeed({ changes: polled.changes, cursor: polled.cursor, isComplete: polled.isComplete })
          case "Compacted":
            return Effect.fail(new FeedError({ reason: new Compacted() }))
          case "Foreign":
            return Effect.fail(new FeedError({ reason: new ForeignCursor({ detail: polled.detail }) }))
        }
      }
    ),
  compact: ({ olderThanMillis }) =>
    Effect.map(client.ask("Forgotten", { _tag: "Compact", olderThanMillis }), ({ count }) => count),
  hints: hintsOf(client),
  hintsOf: (topic) => hintsOf(client, topic)
})

const hintsOf = (client: Client, topic?: Topic): Hints =>
  Effect.gen(function* () {
    const queue = yield* Queue.sliding<void>(1)
    yield* client
      .listen(topic, () => Queue.offerUnsafe(queue, undefined))
      .pipe(Effect.andThen(Effect.sleep(client.options.listenAgainMillis)), Effect.forever, Effect.forkScoped)
    return queue
  })

type ReplyOf<T extends FeedReply["_tag"]> = Extract<FeedReply, { readonly _tag: T }>

/** Who waits for the answer to what was asked. */
interface Asked {
  readonly request: FeedRequest
  readonly settle: (reply: FeedReply | string) => void
}

class Client {
  readonly options: FeedOptions
  readonly #network: Network
  readonly #node: SimNode
  #end: End | undefined
  /** Sent, in order; the first one's answer comes next. */
  readonly #asked: Array<Asked> = []

  constructor(network: Network, node: SimNode, options: FeedOptions) {
    this.#network = network
    this.#node = node
    this.options = options
  }

  ask<T extends FeedReply["_tag"]>(expected: T, request: FeedRequest): Effect.Effect<ReplyOf<T>, FeedError> {
    return Effect.callback<ReplyOf<T>, FeedError>((resume) => {
      this.#node.portCall()
      this.#node.waits("the change feed")
      const settle = (reply: FeedReply | string): void => {
        if (typeof reply === "string") return resume(unavailable(reply))
        if (reply._tag !== expected) throw new Error(`the change feed answered ${reply._tag} in place of ${expected}`)
        resume(Effect.succeed(reply as ReplyOf<T>))
      }
      this.#send({ request, settle })
    }).pipe(
      Effect.timeoutOrElse({
        duration: this.options.answerTimeoutMillis,
        orElse: () => {
          this.#lose("no answer in time")
          return unavailable("no answer in time")
        }
      })
    )
  }

  /** Tells every notification of the topic, and that some may have been missed; ends with its connection. */
  listen(topic: Topic | undefined, tell: () => void): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const end = connect(this.#network, this.#node, this.options.database, feedPort, {
        onOpen: () => send(end, { _tag: "Listen", topic }),
        onMessage: (reply: FeedReply) => {
          end.consumed(feedReplyBytes(reply))
          tell()
        },
        onClose: () => {
          // Frees this side too, where the other has closed in order.
          end.close()
          resume(Effect.void)
        }
      })
      return Effect.sync(() => end.close())
    })
  }

  close(): void {
    this.#end?.close()
    this.#end = undefined
  }

  #send(asked: Asked): void {
    this.#asked.push(asked)
    const present = this.#end
    if (present !== undefined) {
      if (present.state === "open") send(present, asked.request)
      return
    }
    const end = connect(this.#network, this.#node, this.options.database, feedPort, {
      onOpen: () => {
        for (const { request } of this.#asked) send(end, request)
      },
      onMessage: (reply: FeedReply) => {
        end.consumed(feedReplyBytes(reply))
        if (this.#end === end) this.#asked.shift()?.settle(reply)
      },
      onClose: () => {
        if (this.#end === end) this.#lose("the connection has ended")
      }
    })
    this.#end = end
  }

  /** Whoever still waits is told so; the next who asks opens another connection. */
  #lose(why: string): void {
    this.#end?.abort()
    this.#end = undefined
    for (const { settle } of this.#asked.splice(0)) settle(why)
  }
}

function send(end: End, request: FeedRequest): void {
  end.send(request, feedRequestBytes, request._tag, { feed: request._tag })
}

function unavailable(detail: string): Effect.Effect<never, FeedError> {
  return Effect.fail(new FeedError({ reason: new Unavailable({ detail }) }))
}
