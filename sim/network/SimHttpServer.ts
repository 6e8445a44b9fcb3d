/**
 * Effect's `HttpServer` on simulated connections: what `adapters/node/HttpServing.ts` is in production.
 *
 * A request's fiber is interrupted as aborted by its client when the connection closes before the answer was sent. Shutting down stops
 * accepting, interrupts those who have upgraded (their peers hear 1001), and waits for the requests under way.
 *
 * A request that was upgraded to a WebSocket runs on: its handler learns by the socket that the connection is over.
 */
import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Cookies from "effect/http/Cookies"
import type * as FileSystem from "effect/FileSystem"
import * as Headers from "effect/http/Headers"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import type * as Etag from "effect/http/Etag"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServer from "effect/http/HttpServer"
import {
  ClientAbort,
  causeResponse,
  HttpServerError,
  InternalError,
  RequestParseError
} from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Multipart from "effect/http/Multipart"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as Stream from "effect/Stream"
import { httpBodyBytesMax } from "../../core/Limits.ts"
import * as LiveSocket from "../../core/socket/LiveSocket.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { addressOf } from "./addressOf.ts"
import { type CloseReason, type End, listen } from "./Connection.ts"
import { CurrentNetwork } from "./CurrentNetwork.ts"
import { bodyOf, type HttpFrame, sendFrame, sendStream, takeHead } from "./HttpFrame.ts"
import { BodyTooLarge, type IncomingBody } from "./IncomingBody.ts"
import type { Network } from "./Network.ts"
import { SimWebSocket } from "./SimWebSocket.ts"
import type { WebSocketFrame } from "./WebSocketFrame.ts"

export interface Options {
  readonly port: number
  /** How long requests under way may take when the server shuts down. Default 20 s, as Node's adapter. */
  readonly gracefulShutdownMillis?: number
  /** How much of an answer may be on its way before the rest of it waits. Default: the window of a connection. */
  readonly windowBytes?: number
  /** Replaces single limits of `core/Limits.ts` for those who upgrade. */
  readonly socketLimits?: Partial<LiveSocket.Limits>
}

export const layer = (
  options: Options
): Layer.Layer<
  HttpServer.HttpServer | HttpPlatform.HttpPlatform | Etag.Generator | FileSystem.FileSystem | Path.Path,
  never,
  SimNode
> =>
  Layer.mergeAll(
    Layer.effect(
      HttpServer.HttpServer,
      Effect.gen(function* () {
        const node = yield* CurrentNode
        const network = yield* CurrentNetwork
        return make(network, node, options)
      })
    ),
    HttpServer.layerServices,
    // The attributes of a span reach no fact, and those of headers cost the most.
    Layer.succeed(HttpMiddleware.TracerHeaderFilter, () => false)
  )

function make(network: Network, node: SimNode, options: Options): HttpServer.HttpServer["Service"] {
  return HttpServer.make({
    address: addressOf(node, options.port),
    serve: Effect.fnUntraced(function* (httpEffect, middleware) {
      const serveScope = yield* Effect.scope
      const scope = Scope.forkUnsafe(serveScope, "parallel")
      const limits = { ...LiveSocket.defaultLimits, ...options.socketLimits }
      const underWay = new Map<Fiber.Fiber<unknown, unknown>, Exchange>()
      const server: Serving = { limits, isStopping: false }
      const handled = HttpEffect.toHandled(httpEffect, respond, middleware as never)
      const services = yield* Effect.context<never>()
      const limited = Context.add(services, HttpIncomingMessage.MaxBodySize, ByteSize.bytes(httpBodyBytesMax))
      const parent = yield* Effect.withFiber((fiber) => Effect.succeed(fiber.id))
      const start = (request: SimServerRequest) => {
        const context = Context.add(limited, HttpServerRequest.HttpServerRequest, request)
        // Its remaining services are in the context of whoever serves, as in Node's adapter.
        // @effect-diagnostics-next-line unsafeEffectTypeAssertion:off
        const fiber = Fiber.runIn(Effect.runForkWith(context)(handled as Effect.Effect<unknown>), scope)
        if (fiber.pollUnsafe() !== undefined) return request.exchange.body.discard()
        underWay.set(fiber, request.exchange)
        request.exchange.abort = () => fiber.interruptUnsafe(parent, ClientAbort.annotation)
        fiber.addObserver(() => {
          underWay.delete(fiber)
          // What it has not read of the request nobody will read.
          request.exchange.body.discard()
          request.exchange.abort = undefined
        })
      }
      const stopListening = yield* Effect.sync(() =>
        listen(network, node, options.port, (end) => {
          if (options.windowBytes !== undefined) end.windowBytes = options.windowBytes
          return accept(end, server, start)
        })
      )
      yield* Scope.addFinalizer(
        serveScope,
        Effect.suspend(() => {
          stopListening()
          server.isStopping = true
          for (const [fiber, { session }] of underWay) if (session !== undefined) fiber.interruptUnsafe(parent)
          return Effect.forEach([...underWay.keys()], (fiber) => Fiber.await(fiber), {
            concurrency: "unbounded",
            discard: true
          })
        }).pipe(Effect.timeoutOption(options.gracefulShutdownMillis ?? 20_000))
      )
    })
  })
}

/** What the exchanges of a server share. */
interface Serving {
  readonly limits: LiveSocket.Limits
  isStopping: boolean
}

/** One request and its answer on a connection. */
interface Exchange {
  readonly end: End
  readonly body: IncomingBody
  /** Counts the exchanges of the connection. */
  readonly nth: number
  abort: (() => void) | undefined
  isAnswered: boolean
  readonly server: Serving
  /** What the connection has become. */
  session: SimWebSocket | undefined
}

function accept(end: End, server: Serving, start: (request: SimServerRequest) => void) {
  let exchange: Exchange | undefined
  let exchanges = 0
  return {
    onMessage: (frame: HttpFrame | WebSocketFrame) => {
      if (exchange?.session !== undefined) return exchange.session.receive(frame)
      switch (frame._tag) {
        case "Request": {
          const body = takeHead(end, frame)
          exchange = {
            end,
            body,
            nth: exchanges++,
            abort: undefined,
            isAnswered: false,
            server,
            session: undefined
          }
          start(new SimServerRequest(exchange, frame))
          return
        }
        case "Chunk":
          return exchange?.body.push(frame.bytes)
        case "EndOfBody":
          return exchange?.body.end()
        default:
          return end.abort()
      }
    },
    onClose: (reason: CloseReason) => {
      if (exchange?.session !== undefined) return exchange.session.onClose(reason)
      exchange?.body.fail(new Error("the client closed the connection"))
      if (exchange?.isAnswered === false) exchange.abort?.()
    }
  }
}

const respond = (
  request: HttpServerRequest.HttpServerRequest,
  response: HttpServerResponse.HttpServerResponse
): Effect.Effect<void, HttpServerError> =>
  Effect.suspend(() => {
    const { exchange } = request as SimServerRequest
    const { end } = exchange
    // The 101 was the answer.
    if (exchange.session !== undefined) return Effect.void
    const headers = headersOf(response)
    const body =
      request.method === "HEAD" || HttpServerResponse.omitsBody(response) ? { whole: undefined } : bodyOf(response.body)
    if (body === undefined) return failed(exchange, "a body of this kind cannot travel on the simulated network")
    if (isAnswerLost(exchange)) return Effect.void
    if ("whole" in body) {
      exchange.isAnswered = true
      sendFrame(end, { _tag: "Response", status: response.status, headers, body: body.whole, hasMore: false })
      return Effect.void
    }
    sendFrame(end, { _tag: "Response", status: response.status, headers, body: undefined, hasMore: true })
    return sendStream(end, body.stream).pipe(
      // As Node's adapter.
      Effect.interruptible,
      Effect.ensuring(
        Effect.sync(() => {
          exchange.isAnswered = true
        })
      ),
      Effect.catchCause((cause) => {
        end.abort()
        return Cause.hasInterrupts(cause) ? Effect.interrupt : Effect.void
      })
    )
  })

function failed(exchange: Exchange, description: string): Effect.Effect<void> {
  return Effect.flatMap(causeResponse(Cause.die(new Error(description))), ([response]) =>
    Effect.sync(() => {
      exchange.isAnswered = true
      sendFrame(exchange.end, {
        _tag: "Response",
        status: response.status,
        headers: {},
        body: undefined,
        hasMore: false
      })
    })
  )
}

/** The server has acted and answers, and the answer never leaves: the connection is dead in this direction. */
function isAnswerLost({ end, nth }: Exchange): boolean {
  if (end.state !== "open") return false
  if (!end.network.strikes("network/answer-lost", end.link, `${end.link.name}/${end.connection}`, nth)) return false
  end.network.kernel.facts.effect("network/answer-lost")
  end.kill()
  return true
}

/** The socket of a request that asks for a WebSocket; the 101 is sent when its reader is acquired. */
function upgraded(exchange: Exchange): Effect.Effect<Socket.Socket> {
  const { end, server } = exchange
  const { limits } = server
  const handshake = Effect.suspend(() => {
    if (end.state !== "open" || exchange.isAnswered || server.isStopping) {
      const cause = new Error("The socket closed before the upgrade")
      return Effect.fail(new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) }))
    }
    exchange.isAnswered = true
    if (!isAnswerLost(exchange)) sendFrame(end, switching)
    const session = SimWebSocket.accept(end, limits.frameBytesMax)
    exchange.session = session
    return Effect.succeed(session)
  })
  const acquire = Effect.acquireRelease(handshake, (session, exit) =>
    Effect.sync(() => session.close(LiveSocket.closeCodeOf(exit)))
  )
  return Effect.map(Socket.fromWebSocket(acquire), (socket) =>
    LiveSocket.make(socket, () => exchange.session as SimWebSocket, limits)
  )
}

const switching: HttpFrame = {
  _tag: "Response",
  status: 101,
  headers: { connection: "Upgrade", upgrade: "websocket" },
  body: undefined,
  hasMore: false
}

function headersOf(response: HttpServerResponse.HttpServerResponse): Record<string, string | Array<string>> {
  const headers: Record<string, string | Array<string>> = { ...response.headers }
  if (!Cookies.isEmpty(response.cookies)) headers["set-cookie"] = Cookies.toSetCookieHeaders(response.cookies)
  return headers
}

type RequestFrame = Extract<HttpFrame, { _tag: "Request" }>

class SimServerRequest extends Inspectable.Class implements HttpServerRequest.HttpServerRequest {
  readonly [HttpServerRequest.TypeId]: typeof HttpServerRequest.TypeId = HttpServerRequest.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly exchange: Exchange
  readonly source: RequestFrame
  readonly url: string
  readonly headers: Headers.Headers
  readonly remoteAddress: Option.Option<string>
  readonly peerAddress: Option.Option<string>
  readonly protocol: "http" | "https" | undefined

  constructor(
    exchange: Exchange,
    source: RequestFrame,
    options: Parameters<HttpServerRequest.HttpServerRequest["modify"]>[0] = {}
  ) {
    super()
    this.exchange = exchange
    this.source = source
    this.url = options.url ?? source.url
    this.headers = options.headers ?? Headers.fromInput(source.headers)
    this.remoteAddress = options.remoteAddress ?? Option.some(exchange.end.link.target)
    this.peerAddress = options.peerAddress ?? this.remoteAddress
    this.protocol = options.protocol
  }

  get method(): string {
    return this.source.method
  }

  get originalUrl(): string {
    return `http://${this.source.headers["host"] ?? "localhost"}${this.source.url}`
  }

  get cookies(): Readonly<Record<string, string>> {
    return Cookies.parseHeader(this.headers["cookie"] ?? "")
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, HttpServerError> {
    return Effect.map(this.#bytes, (bytes) => new Uint8Array(bytes).buffer)
  }

  get text(): Effect.Effect<string, HttpServerError> {
    return Effect.map(this.#bytes, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Effect.Effect<Schema.Json, HttpServerError> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({ try: () => (text === "" ? null : JSON.parse(text)), catch: (cause) => this.#unreadable(cause) })
    )
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, HttpServerError> {
    return Effect.flatMap(this.text, (text) =>
      Effect.try({
        try: () => UrlParams.fromInput(new URLSearchParams(text)),
        catch: (cause) => this.#unreadable(cause)
      })
    )
  }

  get stream(): Stream.Stream<Uint8Array, HttpServerError> {
    return Stream.mapError(this.exchange.body.stream, (cause) => this.#unreadable(cause))
  }

  get multipart(): HttpServerRequest.HttpServerRequest["multipart"] {
    return Multipart.toPersisted(this.multipartStream)
  }

  get multipartStream(): HttpServerRequest.HttpServerRequest["multipartStream"] {
    return Stream.pipeThroughChannel(
      Stream.mapError(this.stream, (cause) => Multipart.MultipartError.fromReason("InternalError", cause)),
      Multipart.makeChannel(this.headers)
    )
  }

  get upgrade(): Effect.Effect<Socket.Socket, HttpServerError> {
    return this.upgradeWith()
  }

  #unfitForUpgrade(headers: Headers.Headers): HttpServerError | undefined {
    const protocol = this.headers["upgrade"]
    if (protocol === undefined) {
      const description = "not an upgradeable ServerRequest"
      return new HttpServerError({ reason: new RequestParseError({ request: this, description }) })
    }
    const description =
      protocol.toLowerCase() !== "websocket"
        ? `the simulated network carries WebSockets, and no upgrade to ${protocol}`
        : Object.keys(headers).length > 0
          ? "WebSocket upgrades do not support custom response headers"
          : undefined
    return description === undefined
      ? undefined
      : new HttpServerError({ reason: new InternalError({ request: this, description }) })
  }

  upgradeWith(
    options: { readonly headers?: Headers.Input | undefined } = {}
  ): Effect.Effect<Socket.Socket, HttpServerError> {
    const problem = this.#unfitForUpgrade(Headers.fromInput(options.headers))
    return problem === undefined ? upgraded(this.exchange) : Effect.fail(problem)
  }

  modify(options: Parameters<HttpServerRequest.HttpServerRequest["modify"]>[0]): HttpServerRequest.HttpServerRequest {
    return new SimServerRequest(this.exchange, this.source, {
      url: this.url,
      headers: this.headers,
      remoteAddress: this.remoteAddress,
      peerAddress: this.peerAddress,
      ...(this.protocol === undefined ? {} : { protocol: this.protocol }),
      ...options
    })
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, { _id: "HttpServerRequest", method: this.method, url: this.originalUrl })
  }

  get #bytes(): Effect.Effect<Uint8Array, HttpServerError> {
    return Effect.mapError(this.exchange.body.bytes, (cause) => this.#unreadable(cause))
  }

  #unreadable(cause: unknown): HttpServerError {
    const reason = cause instanceof BodyTooLarge ? "BodyTooLarge" : "Parse"
    return new HttpServerError({ reason: new RequestParseError({ request: this, reason, cause }) })
  }
}
