/**
 * A WebSocket of the `ws` package as a `Transport`: what it does not count itself is counted here, by its public interface.
 *
 * `ws` hands out what comes as it comes, buffers without bound what is sent, and asks nobody whether he is still there.
 */
import type { Socket as NetSocket } from "node:net"
import type { Duplex } from "node:stream"
import type * as NodeWS from "@effect/platform-node/NodeWS"
import type * as Socket from "effect/socket/Socket"
import { socketBufferBytesMax, socketCloseTimeoutMillis } from "../../core/Limits.ts"
import type * as Dial from "../../core/ports/Dial.ts"
import type { Transport } from "../../core/socket/LiveSocket.ts"

/** What both ends ask of `ws`. */
export const optionsOf = (frameBytesMax: number) => ({
  maxPayload: frameBytesMax,
  closeTimeout: socketCloseTimeoutMillis,
  // Compression costs memory for each connection, and time for each message.
  perMessageDeflate: false,
  // `ws` ends a connection on which sixty pings come at once, as they do where nobody has read for a while.
  autoPong: false
})

type Type = Parameters<Socket.WebSocketLike["addEventListener"]>[0]
type Listener = Parameters<Socket.WebSocketLike["addEventListener"]>[1]

export class WsTransport implements Transport {
  /** Why it did not open. */
  failure: Dial.Reason | undefined
  readonly #ws: NodeWS.WebSocket
  #socket: Duplex | undefined
  /** Given to the kernel's care not yet. */
  #pendingBytes = 0
  #waiting: Array<() => void> = []
  /** A pong that is on its way to the kernel, and the latest ping since. */
  #isAnswering = false
  #unanswered: Buffer | undefined

  /** `socket` is what the handshake came on, at the serving end. */
  constructor(ws: NodeWS.WebSocket, socket?: Duplex) {
    this.#ws = ws
    this.#socket = socket
    ws.binaryType = "arraybuffer"
    ws.on("upgrade", (response) => {
      this.#socket = response.socket
    })
    ws.on("close", () => this.#release())
    ws.on("ping", (data) => this.#answer(data))
  }

  get readyState(): number {
    return this.#ws.readyState
  }

  get isPaused(): boolean {
    return this.#ws.isPaused
  }

  /** Bytes: a large message is heard while it comes. */
  get heard(): number {
    return (this.#socket as NetSocket | undefined)?.bytesRead ?? 0
  }

  get isFull(): boolean {
    return this.#pendingBytes > socketBufferBytesMax && this.#ws.readyState === this.#ws.OPEN
  }

  onRoom(callback: () => void): () => void {
    this.#waiting.push(callback)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== callback)
    }
  }

  send(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.length
    this.#ws.send(data, () => {
      this.#pendingBytes -= bytes
      if (!this.isFull) this.#release()
    })
    this.#pendingBytes += bytes
  }

  ping(): void {
    this.#ws.ping()
  }

  close(code?: number, reason?: string): void {
    this.#ws.close(code, reason)
    this.#release()
  }

  terminate(): void {
    this.#ws.terminate()
  }

  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#ws.resume()
  }

  addEventListener(type: Type, listener: Listener, options?: { readonly once?: boolean }): void {
    this.#ws.addEventListener(type as "message", listener as never, options)
  }

  removeEventListener(type: Type, listener: Listener): void {
    this.#ws.removeEventListener(type as "message", listener as never)
  }

  /** One answer at a time, and then the latest (RFC 6455, 5.5.3): they do not pile up. */
  #answer(ping: Buffer): void {
    const ws = this.#ws
    if (ws.readyState !== ws.OPEN) return
    if (this.#isAnswering) {
      this.#unanswered = ping
      return
    }
    this.#isAnswering = true
    ws.pong(ping, undefined, () => {
      this.#isAnswering = false
      const next = this.#unanswered
      this.#unanswered = undefined
      if (next !== undefined) this.#answer(next)
    })
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}
