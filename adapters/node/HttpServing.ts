/**
 * Effect's `HttpServer` on Node as production wants it: every phase of a request has a limit, WebSockets are upgraded with what
 * `core/socket/LiveSocket.ts` adds, and shutting down keeps no caller beyond a deadline.
 *
 * Shutting down: no connection is accepted any more and idle ones are closed; sessions are interrupted, and their peers hear 1001;
 * requests under way are waited for; what is left at the deadline is cut off from its caller and interrupted. Absent: giving up a
 * handler that cannot be interrupted. The scope waits for it; whoever must be gone by then ends the process.
 */
import * as Http from "node:http"
import * as Https from "node:https"
import type { Socket as NetSocket } from "node:net"
import type { Duplex } from "node:stream"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServer from "effect/http/HttpServer"
import { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as NetAddress from "effect/net/NetAddress"
import * as Scope from "effect/Scope"
import {
  httpBodyBytesMax,
  httpHeadersTimeoutMillis,
  httpServerKeepAliveMillis,
  httpRequestTimeoutMillis,
  httpStopDeadlineMillis,
  socketBufferBytesMax
} from "../../core/Limits.ts"
import * as LiveSocket from "../../core/socket/LiveSocket.ts"
import { WebSocketUpgrades, type Asked } from "../websocket/WebSocketUpgrades.ts"

export interface Options {
  /** Default: every interface. */
  readonly host?: string
  /** 0 takes a free one; the server's address says which. */
  readonly port: number
  /** How long a caller may take for the head of a request, and for all of it. */
  readonly headersTimeoutMillis?: number
  readonly requestTimeoutMillis?: number
  /** How long sessions and requests under way may take when the server shuts down. */
  readonly stopDeadlineMillis?: number
  /** Default: plain HTTP. */
  readonly tls?: TlsOptions | undefined
  /** Replaces single limits of `core/Limits.ts` for those who upgrade. */
  readonly socketLimits?: Partial<LiveSocket.Limits>
}

/** All in PEM. */
export interface TlsOptions {
  readonly certificate: string
  readonly key: string
  /** Signs the certificates of clients that are asked for; see `ClientCertificates.ts`. */
  readonly clientAuthority?: string
  /** Sees each request before it is handled. */
  readonly vouch?: (request: Http.IncomingMessage) => void
}

/** Fails when the port cannot be had. */
export const layer = (
  options: Options
): Layer.Layer<HttpServer.HttpServer | Layer.Success<typeof NodeHttpServer.layerHttpServices>, ServeError> =>
  Layer.merge(Layer.effect(HttpServer.HttpServer, make(options)), NodeHttpServer.layerHttpServices)

const make = Effect.fnUntraced(function* (options: Options) {
  const limits = { ...LiveSocket.defaultLimits, ...options.socketLimits }
  const headersTimeout = options.headersTimeoutMillis ?? httpHeadersTimeoutMillis
  const settings: Http.ServerOptions = {
    headersTimeout,
    requestTimeout: options.requestTimeoutMillis ?? httpRequestTimeoutMillis,
    keepAliveTimeout: httpServerKeepAliveMillis,
    // Half of the shortest limit: how late Node notices that one has passed.
    connectionsCheckingInterval: Math.ceil(headersTimeout / 2),
    noDelay: true
  }
  const { tls } = options
  // Who shows no certificate, or one that nobody of ours has signed, is let in by other credentials or not at all.
  const clients = tls?.clientAuthority === undefined ? {} : { ca: tls.clientAuthority, requestCert: true }
  const server =
    tls === undefined
      ? Http.createServer(settings)
      : Https.createServer({
          ...settings,
          ...clients,
          rejectUnauthorized: false,
          minVersion: "TLSv1.2",
          cert: tls.certificate,
          key: tls.key
        })
  const scope = yield* Effect.scope
  const address = yield* listen(server, options)
  const closing = { isStopping: false }
  // Who comes before anything is served would wait for ever: Node takes the connection, and nobody the request.
  server.on("request", refuseEarly)
  yield* Scope.addFinalizer(
    scope,
    Effect.sync(() => {
      server.close()
      server.closeAllConnections()
    })
  )

  return HttpServer.make({
    address,
    serve: Effect.fnUntraced(function* (app, middleware) {
      const serveScope = yield* Effect.scope
      const [requests, sessions] = [
        yield* Scope.fork(serveScope, "parallel"),
        yield* Scope.fork(serveScope, "parallel")
      ]
      const upgrades = new WebSocketUpgrades(limits)
      /** Answers that have not ended. */
      const underWay = new Set<Http.ServerResponse>()
      const asked = new WeakMap<Http.IncomingMessage, Asked>()
      const limited = Effect.provideService(app, HttpIncomingMessage.MaxBodySize, ByteSize.bytes(httpBodyBytesMax))
      const upgradable = Effect.updateService(limited, HttpServerRequest.HttpServerRequest, (request) => {
        const upgrade = asked.get(request.source as Http.IncomingMessage)
        return upgrade === undefined ? request : upgrades.upgradable(request, upgrade)
      })
      const handleRequest = yield* handlerOf(limited, middleware, requests)
      const handleUpgrade = yield* handlerOf(upgradable, middleware, sessions)

      const onRequest = (request: Http.IncomingMessage, response: Http.ServerResponse): void => {
        underWay.add(response)
        tls?.vouch?.(request)
        if (closing.isStopping) response.shouldKeepAlive = false
        response.once("close", () => underWay.delete(response))
        handleRequest(request, response)
      }
      const onUpgrade = (request: Http.IncomingMessage, socket: Duplex, head: Buffer): void => {
        tls?.vouch?.(request)
        const response = responseOn(request, socket)
        const early = new EarlyBytes(socket, head)
        if (request.headers.upgrade?.toLowerCase() === "websocket") {
          asked.set(request, {
            request,
            socket,
            takeOver: () => {
              response.detachSocket(socket as NetSocket)
              // Ended for whoever would still answer: the 101 was the answer.
              response.end()
              return early.take()
            }
          })
        }
        handleUpgrade(request, response)
      }
      server.off("request", refuseEarly)
      server.on("request", onRequest)
      server.on("upgrade", onUpgrade)

      const stop = Effect.gen(function* () {
        closing.isStopping = true
        upgrades.stop()
        for (const response of underWay) if (!response.headersSent) response.shouldKeepAlive = false
        const closed = Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
        })
        yield* Effect.all([closed, Scope.close(sessions, Exit.void)], { concurrency: "unbounded", discard: true })
      })
      yield* Scope.addFinalizer(
        serveScope,
        Effect.gen(function* () {
          yield* Effect.timeoutOption(stop, options.stopDeadlineMillis ?? httpStopDeadlineMillis)
          upgrades.terminate()
          server.closeAllConnections()
          server.off("request", onRequest)
          server.off("upgrade", onUpgrade)
        })
      )
    })
  })
})

/** Without an application there are no problem documents yet; the status says all that there is to say. */
function refuseEarly(_request: Http.IncomingMessage, response: Http.ServerResponse): void {
  response.writeHead(503, { connection: "close", "retry-after": "1" }).end()
}

/**
 * Reads on while a handler decides whether to upgrade: nobody else would notice that the caller has left. What comes is kept; a caller
 * who says much before he is let in is cut off.
 */
class EarlyBytes {
  readonly #socket: Duplex
  #chunks: Array<Buffer>
  #bytes = 0

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket
    this.#chunks = [head]
    socket.on("data", this.#onData)
    socket.on("end", this.#onEnd)
  }

  /** Everything that came so far; whoever takes it reads from here on. */
  take(): Buffer {
    this.#socket.off("data", this.#onData)
    this.#socket.off("end", this.#onEnd)
    const chunks = this.#chunks
    this.#chunks = []
    return Buffer.concat(chunks)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > socketBufferBytesMax) this.#socket.destroy()
  }

  readonly #onEnd = (): void => {
    this.#socket.destroy()
  }
}

type App = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  unknown,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

function handlerOf(app: unknown, middleware: unknown, scope: Scope.Scope) {
  return NodeHttpServer.makeHandler(app as App, { middleware: middleware as never, scope }) as Effect.Effect<
    (request: Http.IncomingMessage, response: Http.ServerResponse) => void
  >
}

/** Node makes no answer for a request that asks for an upgrade; this one ends the connection. */
function responseOn(request: Http.IncomingMessage, socket: Duplex): Http.ServerResponse {
  const response = new Http.ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket as NetSocket)
  response.once("finish", () => socket.end())
  // Told by "close", which follows.
  socket.on("error", () => undefined)
  return response
}

function listen(server: Http.Server, { host, port }: Options): Effect.Effect<NetAddress.SocketAddress, ServeError> {
  return Effect.callback<void, ServeError>((resume) => {
    const onError = (cause: Error): void => resume(Effect.fail(new ServeError({ cause })))
    server.once("error", onError)
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off("error", onError)
      resume(Effect.void)
    })
  }).pipe(
    Effect.andThen(
      Effect.suspend(() => {
        const address = server.address()
        if (address === null || typeof address === "string") return Effect.die(new Error("a server without a port"))
        return Effect.fromResult(NetAddress.inetAddressFromIpString(address.address, address.port))
      })
    ),
    Effect.mapError((cause) => (cause instanceof ServeError ? cause : new ServeError({ cause })))
  )
}
