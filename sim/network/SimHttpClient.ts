/**
 * Effect's `HttpClient` on simulated connections: pooled per host and port, kept alive for a while, one exchange at a
 * time on each.
 *
 * Failures before an answer are `TransportError`, as with every client of Effect; the cause says which. What cannot be simulated
 * (TLS, a body of another kind) is another error, which no client takes for a passing one.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import { DecodeError, EncodeError, HttpClientError, InvalidUrlError, TransportError } from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type * as Socket from "effect/socket/Socket"
import type { Event } from "../kernel/EventHeap.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { type CloseReason, connect, type End } from "./Connection.ts"
import { CurrentNetwork } from "./CurrentNetwork.ts"
import { bodyOf, type HttpFrame, sendFrame, sendStream, takeHead } from "./HttpFrame.ts"
import type { IncomingBody } from "./IncomingBody.ts"
import type { Network } from "./Network.ts"

/** An idle connection is closed after this. */
const keepAliveMicros = 4_000_000
/** A middlebox repeats a request so late. */
const duplicateMicros = 5_000

export const layer: Layer.Layer<HttpClient.HttpClient, never, SimNode> = Layer.merge(
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const pool = new Pool(yield* CurrentNetwork, yield* CurrentNode)
      return HttpClient.make((request, url, _signal, fiber) => pool.exchange(request, url, fiber.context))
    })
  ),
  // The attributes of a span reach no fact, and those of headers cost the most.
  Layer.succeed(HttpClient.TracerHeaderFilter, () => false)
)

type Head = Extract<HttpFrame, { _tag: "Response" }>

/** The exchange under way on a channel. */
interface Listening {
  readonly onHead: (head: Head, body: IncomingBody) => void
  readonly onFailure: (reason: CloseReason) => void
}

/** A connection with what is under way on it. */
class Channel {
  end: End | undefined
  listening: Listening | undefined
  body: IncomingBody | undefined
  idle: Event | undefined
  /** Sends the body of a request. */
  upload: Fiber.Fiber<unknown, unknown> | undefined
  isUsed = false
}

class Pool {
  readonly #network: Network
  readonly #node: SimNode
  readonly #idle = new Map<string, Array<Channel>>()
  /** What to send as soon as a channel is open. */
  readonly #opens = new Map<Channel, () => void>()
  /** Requests by host, each an occurrence for middleboxes that repeat them. */
  readonly #requests = new Map<string, number>()

  constructor(network: Network, node: SimNode) {
    this.#network = network
    this.#node = node
  }

  exchange(
    request: HttpClientRequest.HttpClientRequest,
    url: URL,
    context: Context.Context<never>
  ): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError> {
    if (url.protocol !== "http:") {
      const description = `${url.protocol} is not simulated: give the program an http: URL, and leave TLS to what stands before it`
      return Effect.fail(new HttpClientError({ reason: new InvalidUrlError({ request, description }) }))
    }
    const body = bodyOf(request.body)
    if (body === undefined) {
      const description = "a body of this kind cannot travel on the simulated network"
      return Effect.fail(new HttpClientError({ reason: new EncodeError({ request, description }) }))
    }
    if (request.headers["upgrade"] !== undefined) {
      const description = "the simulated network upgrades to WebSockets only, through Dial or a WebSocketConstructor"
      return Effect.fail(new HttpClientError({ reason: new InvalidUrlError({ request, description }) }))
    }
    const port = url.port === "" ? 80 : Number(url.port)
    const whole = "whole" in body ? body.whole : undefined
    const frame: HttpFrame = {
      _tag: "Request",
      method: request.method,
      url: url.pathname + url.search,
      headers: {
        host: url.host,
        ...request.headers,
        ...("contentType" in request.body && request.body.contentType !== undefined
          ? { "content-type": request.body.contentType }
          : {}),
        ...(whole === undefined ? {} : { "content-length": String(whole.length) })
      },
      body: whole,
      hasMore: "stream" in body
    }
    return Effect.callback((resume) => {
      const fail = (reason: CloseReason) =>
        resume(
          Effect.fail(
            new HttpClientError({ reason: new TransportError({ request, cause: new Error(`connection ${reason}`) }) })
          )
        )
      this.#node.waits(`the answer to ${request.method} ${url.href}`)
      const channel = this.#channel(url.hostname, port, {
        onFailure: fail,
        onHead: (head, incoming) => {
          const leave = () => {
            // What is left of it nobody will read.
            if (!incoming.isEnded) channel.end?.abort()
          }
          resume(Effect.succeed(new SimClientResponse({ request, url, head, body: incoming, leave })))
        }
      })
      const send = () => {
        sendFrame(channel.end as End, frame)
        if (!("stream" in body)) {
          this.#maybeDuplicate(url.hostname, port, frame)
          return
        }
        const streaming = Effect.runForkWith(context)(sendStream(channel.end as End, body.stream))
        channel.upload = streaming
        streaming.addObserver((exit) => {
          channel.upload = undefined
          if (exit._tag === "Failure") channel.end?.abort()
        })
      }
      if (channel.end?.state === "open") send()
      else this.#opens.set(channel, send)
      return Effect.sync(() => {
        // An exchange given up in the middle leaves its connection unusable.
        channel.listening = undefined
        channel.end?.abort()
      })
    })
  }

  #channel(host: string, port: number, listening: Listening): Channel {
    const address = `${host}:${port}`
    const idle = this.#idle.get(address) ?? []
    for (let reused = idle.pop(); reused !== undefined; reused = idle.pop()) {
      if (reused.idle !== undefined) reused.idle.cancelled = true
      if (reused.end?.state !== "open") continue
      reused.listening = listening
      reused.isUsed = true
      return reused
    }
    const channel = new Channel()
    channel.listening = listening
    channel.end = connect(this.#network, this.#node, host, port, {
      onOpen: () => {
        const send = this.#opens.get(channel)
        this.#opens.delete(channel)
        if (channel.listening !== undefined) send?.()
      },
      onMessage: (frame: HttpFrame) => this.#receive(channel, address, frame),
      onClose: (reason) => {
        this.#opens.delete(channel)
        channel.body?.fail(new Error(`connection ${reason}`))
        const { listening: waiting } = channel
        channel.listening = undefined
        waiting?.onFailure(reason)
      }
    })
    return channel
  }

  #receive(channel: Channel, address: string, frame: HttpFrame): void {
    switch (frame._tag) {
      case "Response": {
        const body = takeHead(channel.end as End, frame)
        channel.body = body
        const { listening } = channel
        channel.listening = undefined
        if (!frame.hasMore) this.#release(channel, address)
        listening?.onHead(frame, body)
        return
      }
      case "Chunk":
        return channel.body?.push(frame.bytes)
      case "EndOfBody":
        channel.body?.end()
        return this.#release(channel, address)
      case "Request":
        return channel.end?.abort()
    }
  }

  #release(channel: Channel, address: string): void {
    channel.body = undefined
    // Answered before all of the request was sent: the rest cannot be taken back, and nothing else can follow it. As `undici` does.
    if (channel.upload !== undefined) return channel.upload.interruptUnsafe()
    if (channel.end?.state !== "open") return
    const idle = this.#idle.get(address) ?? []
    idle.push(channel)
    this.#idle.set(address, idle)
    channel.idle = this.#node.setTimer(keepAliveMicros, () => {
      const index = idle.indexOf(channel)
      if (index < 0) return
      idle.splice(index, 1)
      channel.end?.close()
    })
  }

  /** The server receives the request twice; nobody waits for the second answer. */
  #maybeDuplicate(host: string, port: number, frame: HttpFrame): void {
    if (!this.#network.hazards.isAnyActive) return
    const link = this.#network.link(this.#node.name, host)
    const nth = this.#requests.get(host) ?? 0
    this.#requests.set(host, nth + 1)
    if (!this.#network.strikes("network/duplication", link, `${link.name}/request`, nth)) return
    this.#node.setTimer(duplicateMicros, () => {
      const end = connect(this.#network, this.#node, host, port, {
        onOpen: () => {
          this.#network.kernel.facts.effect("network/duplication")
          sendFrame(end, frame)
        },
        onMessage: () => end.close(),
        onClose: () => undefined
      })
    })
  }
}

class SimClientResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: string
  readonly status: number
  readonly headers: Headers.Headers
  readonly cookies: Cookies.Cookies
  readonly remoteAddress: Option.Option<string> = Option.none()
  readonly #body: IncomingBody
  readonly #leave: () => void

  constructor(answer: {
    readonly request: HttpClientRequest.HttpClientRequest
    readonly url: URL
    readonly head: Head
    readonly body: IncomingBody
    /** Told when who reads the body as a stream is done with it. */
    readonly leave: () => void
  }) {
    const { body, head, request, url } = answer
    super()
    this.#leave = answer.leave
    const setCookie = head.headers["set-cookie"] ?? []
    this.request = request
    this.url = url.href
    this.status = head.status
    this.headers = Headers.fromInput(head.headers)
    this.cookies = Cookies.fromSetCookie(typeof setCookie === "string" ? [setCookie] : setCookie)
    this.#body = body
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpClientError> {
    return Effect.map(this.#bytes, (bytes) => new Uint8Array(bytes).buffer)
  }

  get text(): Effect.Effect<string, HttpClientError> {
    return Effect.map(this.#bytes, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, HttpClientError> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({ try: () => (text === "" ? null : JSON.parse(text)), catch: (cause) => this.#unreadable(cause) })
    )
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpClientError> {
    return Effect.map(this.text, (text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get formData(): Effect.Effect<FormData, HttpClientError> {
    return Effect.fail(this.#unreadable(new Error("forms cannot be read on the simulated network")))
  }

  get stream(): Stream.Stream<Uint8Array, HttpClientError> {
    return this.#body.stream.pipe(
      Stream.mapError((cause) => this.#unreadable(cause)),
      Stream.ensuring(Effect.sync(this.#leave))
    )
  }

  get upgrade(): Effect.Effect<Socket.Socket, HttpClientError> {
    return Effect.fail(this.#unreadable(new Error("the simulated network upgrades to WebSockets only, through Dial")))
  }

  pipe() {
    return pipeArguments(this, arguments)
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, { _id: "HttpClientResponse", status: this.status })
  }

  get #bytes(): Effect.Effect<Uint8Array, HttpClientError> {
    return Effect.mapError(this.#body.bytes, (cause) => this.#unreadable(cause))
  }

  #unreadable(cause: unknown): HttpClientError {
    return new HttpClientError({ reason: new DecodeError({ request: this.request, response: this, cause }) })
  }
}
