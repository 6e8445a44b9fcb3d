/**
 * A WebSocket on a simulated connection, as `ws` is one on Node: the same events, states and close codes.
 *
 * - K1 Whatever ends the connection without a close frame, at this end or on the way, is the code 1006.
 * - K2 Each end sees the code of the close frame that came to it. Whoever receives one answers with the same, if it has not sent its
 *   own; the connection is over when both have sent and received one, or after a while.
 * - K3 Paused, it takes nothing from the connection, not even a ping, and after a window's worth the other end waits.
 * - K4 A message above the limit is answered with 1009 and is an error here; nothing is read after it.
 */
import type * as Socket from "effect/socket/Socket"
import { socketCloseTimeoutMillis } from "../../core/Limits.ts"
import type { Transport } from "../../core/socket/LiveSocket.ts"
import * as Dial from "../../core/ports/Dial.ts"
import type { Event } from "../kernel/EventHeap.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { type CloseReason, connect, type End } from "./Connection.ts"
import { type HttpFrame, sendFrame } from "./HttpFrame.ts"
import type { Network } from "./Network.ts"
import { sendWebSocketFrame, sizeOf, type WebSocketFrame } from "./WebSocketFrame.ts"

type Type = "open" | "message" | "error" | "close"
type Listener = (event: Socket.WebSocketEvent) => void

/** What a control frame has room for besides the code. */
const reasonBytesMax = 123

/** How far Node reads a stream that nobody takes anything from. */
const readAheadBytes = 65_536

const connecting = 0
const open = 1
const closing = 2
const closed = 3

export class SimWebSocket implements Transport {
  readyState: number
  isPaused = false
  heard = 0
  /** Why it did not open. */
  failure: Dial.Reason | undefined
  readonly #node: SimNode
  readonly #frameBytesMax: number
  #end: End | undefined
  readonly #listeners: Array<{ readonly type: Type; readonly listener: Listener; readonly isOnce: boolean }> = []
  /** What has come and was not taken; the end of the connection comes last. */
  #inbox: Array<WebSocketFrame | "closed"> = []
  #isTaking = false
  /** The code and reason of the close frame that came. */
  #goodbye: { readonly code: number; readonly reason: string } | undefined
  #closeTimer: Event | undefined
  /** Reads no more, as something came that must not. */
  #isDeaf = false
  #waiting: Array<() => void> = []
  #isReset = false

  private constructor(node: SimNode, frameBytesMax: number, readyState: number) {
    this.#node = node
    this.#frameBytesMax = frameBytesMax
    this.readyState = readyState
  }

  /** The serving end; the 101 was sent. */
  static accept(end: End, frameBytesMax: number): SimWebSocket {
    const socket = new SimWebSocket(end.node, frameBytesMax, open)
    socket.#attach(end)
    return socket
  }

  /** The calling end: "open", or "error" and "close" follow. */
  static connect(
    network: Network,
    node: SimNode,
    options: {
      readonly url: URL
      readonly headers: Readonly<Record<string, string>>
      readonly frameBytesMax: number
    }
  ): SimWebSocket {
    const { headers, url } = options
    const socket = new SimWebSocket(node, options.frameBytesMax, connecting)
    const port = url.port === "" ? 80 : Number(url.port)
    node.waits(`an upgrade by ${url.host}`)
    const end = connect(network, node, url.hostname, port, {
      onOpen: () =>
        sendFrame(end, {
          _tag: "Request",
          method: "GET",
          url: url.pathname + url.search,
          headers: { ...headers, host: url.host, connection: "Upgrade", upgrade: "websocket", ...offered },
          body: undefined,
          hasMore: false
        }),
      onMessage: (frame: HttpFrame | WebSocketFrame) => socket.receive(frame),
      onClose: (reason) => socket.onClose(reason)
    })
    socket.#attach(end)
    return socket
  }

  get isFull(): boolean {
    return this.readyState === open && this.#end?.isWindowFull === true
  }

  onRoom(callback: () => void): () => void {
    const end = this.#end as End
    this.#node.waits(`room to write to ${end.link.target}:${end.port}`)
    this.#waiting.push(callback)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== callback)
    }
  }

  addEventListener(type: Type, listener: Listener, options?: { readonly once?: boolean }): void {
    this.#listeners.push({ type, listener, isOnce: options?.once === true })
  }

  removeEventListener(type: Type, listener: Listener): void {
    const index = this.#listeners.findIndex((other) => other.type === type && other.listener === listener)
    if (index >= 0) this.#listeners.splice(index, 1)
  }

  send(data: string | Uint8Array): void {
    if (this.readyState === connecting) throw new Error("WebSocket is not open: readyState 0 (CONNECTING)")
    // A copy: the sender may use its bytes again.
    const copy = typeof data === "string" ? data : data.slice()
    this.#say({ _tag: "Message", data: copy, bytes: typeof copy === "string" ? bytesOf(copy) : copy.length })
  }

  ping(): void {
    this.#say({ _tag: "Ping" })
  }

  close(code?: number, reason = ""): void {
    if (this.readyState === connecting) {
      this.failure ??= new Dial.Unreachable({ detail: "closed before the connection was established" })
      this.#end?.abort()
      this.#fail(new Error("WebSocket was closed before the connection was established"))
      return
    }
    if (this.readyState !== open) return
    if (code !== undefined && !isSayable(code)) {
      throw new TypeError("First argument must be a valid error code number")
    }
    if (code !== undefined && bytesOf(reason) > reasonBytesMax) {
      throw new RangeError("The message must not be greater than 123 bytes")
    }
    this.#farewell({ _tag: "Close", code: code ?? 1005, reason: code === undefined ? "" : reason })
  }

  terminate(): void {
    if (this.readyState === closed) return
    if (this.readyState === connecting) return this.close()
    // As a descriptor that is closed: the other end finds the end of the stream, behind all that was sent before.
    this.#hangUp()
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
    if (this.#inbox.length === 0 || this.#isTaking) return
    this.#isTaking = true
    // Not in the stack of whoever resumes: what comes of it is for him, too.
    this.#node.enqueue(() => {
      this.#isTaking = false
      this.#take()
    }, undefined)
  }

  /** Something has come on the connection. */
  receive(frame: HttpFrame | WebSocketFrame): void {
    switch (frame._tag) {
      case "Message":
      case "Ping":
      case "Pong":
      case "Close":
      case "Fin":
        this.#inbox.push(frame)
        return this.#take()
      case "Response":
        return this.#answered(frame.status, frame.headers["retry-after"])
      case "Chunk":
      case "EndOfBody":
        // The rest of a refusal.
        return
      case "Request":
        return this.terminate()
    }
  }

  /** The connection is over: in order, behind what came before; or broken. */
  onClose(reason: CloseReason): void {
    if (this.readyState === connecting) {
      this.failure ??=
        reason === "refused" ? new Dial.Refused() : new Dial.Unreachable({ detail: `connection ${reason}` })
      this.#fail(new Error(`connection ${reason}`))
    } else if (reason === "closed") {
      this.#inbox.push("closed")
      this.#take()
    } else this.#finish()
  }

  #attach(end: End): void {
    this.#end = end
    end.onDrain = () => this.#release()
  }

  #answered(status: number, retryAfter: unknown): void {
    if (this.readyState !== connecting) return this.terminate()
    if (status === 101) {
      this.readyState = open
      return this.#emit("open", {})
    }
    this.failure = Dial.refusalOf(status, retryAfter)
    this.#end?.close()
    this.#fail(new Error(`Unexpected server response: ${status}`))
  }

  #say(frame: WebSocketFrame): void {
    if (this.readyState === open) this.#transmit(frame)
  }

  #transmit(frame: WebSocketFrame): void {
    sendWebSocketFrame(this.#end as End, frame)
    if (this.#inbox.includes("closed")) this.#writeToNobody()
  }

  /** The other end is gone, and this one has not read as far. A write is answered by a reset, which the next one meets. */
  #writeToNobody(): void {
    if (this.#isReset) this.#node.enqueue(() => this.#finish(), undefined)
    const { network } = this.#end as End
    this.#node.setTimer(2 * network.latency.maximumMicros, () => {
      this.#isReset = true
    })
  }

  /** Says the last thing, once. */
  #farewell(frame: WebSocketFrame): void {
    if (this.readyState !== open) return
    this.#transmit(frame)
    this.readyState = closing
    this.#release()
    this.#closeTimer = this.#node.setTimer(socketCloseTimeoutMillis * 1_000, () => this.terminate())
  }

  #take(): void {
    while (this.readyState !== closed) {
      const [next] = this.#inbox
      // The end of the stream is seen by whoever reads nothing, too, unless something is before it.
      if (this.isPaused && next !== "closed" && next?._tag !== "Fin") return
      const frame = this.#inbox.shift()
      if (frame === undefined) return
      if (frame === "closed") return this.#finish()
      this.#end?.consumed(sizeOf(frame))
      this.heard++
      if (frame._tag === "Fin") return this.#hangUp()
      if (!this.#isDeaf) this.#hear(frame)
    }
  }

  /** What was read from the connection while nobody took it is still heard; what is behind it is lost with the connection. */
  #takeReadAhead(): void {
    const inbox = this.#inbox
    this.#inbox = []
    let bytes = 0
    for (const frame of inbox) {
      if (frame === "closed" || frame._tag === "Fin" || this.#isDeaf) return
      bytes += sizeOf(frame)
      if (bytes > readAheadBytes) return
      this.#hear(frame)
    }
  }

  #hear(frame: WebSocketFrame): void {
    switch (frame._tag) {
      case "Message": {
        if (frame.bytes <= this.#frameBytesMax) return this.#emit("message", { data: frame.data })
        this.#isDeaf = true
        this.close(1009)
        this.#transmit({ _tag: "Fin" })
        const message = `Max payload size exceeded: ${frame.bytes} of ${this.#frameBytesMax} bytes`
        return this.#emit("error", { error: new RangeError(message) } as Socket.WebSocketEvent)
      }
      case "Ping":
        return this.#say({ _tag: "Pong" })
      case "Pong":
        return
      case "Close":
        this.#goodbye = { code: frame.code, reason: frame.reason }
        this.#isDeaf = true
        this.#farewell(frame)
        return this.#transmit({ _tag: "Fin" })
    }
  }

  /** Both have said all that they had to say. */
  #hangUp(): void {
    this.#end?.close()
    this.#finish()
  }

  #finish(): void {
    if (this.readyState === closed) return
    this.readyState = closing
    this.#takeReadAhead()
    if ((this.readyState as number) === closed) return
    this.readyState = closed
    if (this.#closeTimer !== undefined) this.#closeTimer.cancelled = true
    this.#release()
    this.#emit("close", this.#goodbye ?? { code: 1006, reason: "" })
  }

  #fail(error: Error): void {
    if (this.readyState === closed) return
    this.#emit("error", { error } as Socket.WebSocketEvent)
    this.#finish()
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }

  #emit(type: Type, event: Socket.WebSocketEvent): void {
    for (const entry of this.#listeners.slice()) {
      if (entry.type !== type) continue
      if (entry.isOnce) this.removeEventListener(type, entry.listener)
      entry.listener({ type, ...event })
    }
  }
}

/** What every handshake offers; the key says nothing here, but a server may ask whether there is one. */
const offered = { "sec-websocket-version": "13", "sec-websocket-key": "c2ltdWxhdGVkIG5vbmNlIQ==" } as const

/** The codes that a program may send (RFC 6455, 7.4). */
function isSayable(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}

const encoder = new TextEncoder()

function bytesOf(text: string): number {
  return encoder.encode(text).length
}
