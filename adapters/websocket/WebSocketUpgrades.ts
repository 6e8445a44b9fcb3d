/**
 * The serving end of WebSockets: turns a request that asks for one into a `Socket`, with what `core/socket/LiveSocket.ts` adds.
 *
 * - U1 The 101 is sent when the socket's reader is acquired: until then the handler may answer as to any request, and has refused.
 * - U2 Once upgraded, the handler runs on when the connection is over, and learns it by the socket.
 */
import type { IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import * as NodeWS from "@effect/platform-node/NodeWS"
import * as Effect from "effect/Effect"
import { HttpServerError, InternalError } from "effect/http/HttpServerError"
import * as Headers from "effect/http/Headers"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as LiveSocket from "../../core/socket/LiveSocket.ts"
import { optionsOf, WsTransport } from "./WsTransport.ts"

/** An upgrade that was asked for. */
export interface Asked {
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** The connection is no longer one of HTTP from here on; returns what has come behind the request. */
  readonly takeOver: () => Buffer
}

export class WebSocketUpgrades {
  readonly #server: NodeWS.WebSocketServer
  readonly #limits: LiveSocket.Limits

  constructor(limits: LiveSocket.Limits) {
    this.#limits = limits
    this.#server = new NodeWS.WebSocketServer({ noServer: true, ...optionsOf(limits.frameBytesMax) })
  }

  /** The request as its handler sees it: it can be upgraded. */
  upgradable(request: HttpServerRequest.HttpServerRequest, asked: Asked): HttpServerRequest.HttpServerRequest {
    const upgradeWith: HttpServerRequest.HttpServerRequest["upgradeWith"] = (options) =>
      Object.keys(Headers.fromInput(options.headers)).length === 0
        ? this.#socketOf(asked)
        : Effect.fail(
            new HttpServerError({
              reason: new InternalError({
                request,
                description: "WebSocket upgrades do not support custom response headers"
              })
            })
          )
    return Object.create(request, {
      upgradeWith: { value: upgradeWith },
      upgrade: { get: () => upgradeWith({}) },
      modify: {
        value: (options: Parameters<HttpServerRequest.HttpServerRequest["modify"]>[0]) =>
          this.upgradable(request.modify(options), asked)
      }
    }) as HttpServerRequest.HttpServerRequest
  }

  /** Refuses further upgrades: 503. */
  stop(): void {
    this.#server.close()
  }

  /** Ends what is still open, without a word. */
  terminate(): void {
    for (const ws of this.#server.clients) ws.terminate()
  }

  #socketOf(asked: Asked): Effect.Effect<Socket.Socket> {
    let transport: WsTransport | undefined
    const acquire: Effect.Effect<WsTransport, Socket.SocketError, Scope.Scope> = Effect.acquireRelease(
      Effect.tap(this.#handshake(asked), (opened) =>
        Effect.sync(() => {
          transport = opened
        })
      ),
      (opened, exit) => Effect.sync(() => opened.close(LiveSocket.closeCodeOf(exit)))
    )
    return Effect.map(Socket.fromWebSocket(acquire), (inner) =>
      LiveSocket.make(inner, () => transport as WsTransport, this.#limits)
    )
  }

  #handshake({ request, socket, takeOver }: Asked): Effect.Effect<WsTransport, Socket.SocketError> {
    return Effect.callback((resume) => {
      // A handshake that is refused calls nobody back.
      const onClose = () => {
        const cause = new Error("The socket closed before the upgrade")
        const reason = new Socket.SocketOpenError({ kind: "Unknown", cause })
        resume(Effect.fail(new Socket.SocketError({ reason })))
      }
      if (socket.destroyed) return onClose()
      socket.once("close", onClose)
      this.#server.handleUpgrade(request, socket, takeOver(), (ws) => {
        socket.off("close", onClose)
        resume(Effect.succeed(new WsTransport(ws, socket)))
      })
    })
  }
}
