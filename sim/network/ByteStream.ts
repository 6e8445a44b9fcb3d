/**
 * One end of a connection as a stream of bytes: what a `net.Socket` is on Node. Keeps what has come until somebody reads, says when
 * there is room to write, and ends once.
 *
 * - B1 Bytes keep their order, and the bounds of writes mean nothing: a write may come in two pieces, several at once.
 * - B2 After an orderly end what has come before is still read; after a failure it is gone.
 */
import * as Effect from "effect/Effect"
import * as Socket from "effect/socket/Socket"
import * as Chance from "../kernel/Chance.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { type CloseReason, connect, type End, type Handlers } from "./Connection.ts"
import type { Network } from "./Network.ts"

type Chunks = readonly [Uint8Array, ...Array<Uint8Array>]

const isSome = (chunks: ReadonlyArray<Uint8Array>): chunks is Chunks => chunks.length > 0
type Resume<A> = (effect: Effect.Effect<A, Socket.SocketError>) => void

/** One write in so many comes in two pieces. */
const piecesProbability = 1 / 8

/** As Node names them. */
const codes: Record<Exclude<CloseReason, "closed">, string> = {
  refused: "ECONNREFUSED",
  reset: "ECONNRESET",
  timeout: "ETIMEDOUT"
}

export class ByteStream {
  readonly #node: SimNode
  readonly #peer: string
  #end: End | undefined
  #chunks: Array<Uint8Array> = []
  #bytes = 0
  #count = 0
  #reader: Resume<Chunks> | undefined
  #writers: Array<Resume<void>> = []
  /** Why there is nothing more to come; an error is made when somebody asks, which for most connections nobody does. */
  #ended: (() => Socket.SocketError) | undefined
  #failure: Socket.SocketError | undefined
  #opened: Resume<ByteStream> | undefined

  private constructor(node: SimNode, peer: string) {
    this.#node = node
    this.#peer = peer
  }

  /** A connection that somebody opened to us. */
  static accept(end: End): readonly [stream: ByteStream, handlers: Handlers] {
    const stream = new ByteStream(end.node, end.link.target)
    stream.#attach(end)
    return [stream, stream.#handlers]
  }

  /** Fails when it is refused, reset, or not answered in time; interrupted, it takes the attempt back. */
  static connect(
    network: Network,
    node: SimNode,
    host: string,
    port: number
  ): Effect.Effect<ByteStream, Socket.SocketError> {
    return Effect.callback((resume) => {
      const stream = new ByteStream(node, `${host}:${port}`)
      stream.#opened = resume
      node.waits(`a connection to ${host}:${port}`)
      stream.#attach(connect(network, node, host, port, stream.#handlers))
      return Effect.sync(() => stream.destroy())
    })
  }

  get isEnded(): boolean {
    return this.#end === undefined || this.#end.state === "closed"
  }

  /** Why the stream has ended, if it has. */
  get failure(): Socket.SocketError | undefined {
    return (this.#failure ??= this.#ended?.())
  }

  /** Everything that has come; waits for the first. One reader at a time. */
  readonly read: Effect.Effect<Chunks, Socket.SocketError> = Effect.callback((resume) => {
    this.#reader = resume
    this.#node.waits(`bytes from ${this.#peer}`)
    this.#drain()
    return Effect.sync(() => {
      if (this.#reader === resume) this.#reader = undefined
    })
  })

  /** Sends at once; waits only for room when too much is under way. */
  write(chunk: Uint8Array | string): Effect.Effect<void, Socket.SocketError> {
    const end = this.#end
    if (end === undefined || end.state !== "open") return Effect.fail(writeError(new Error("socket closed")))
    // A copy: the writer may use its bytes again.
    const bytes = typeof chunk === "string" ? encode(chunk) : chunk.slice()
    end.send(bytes, bytes.length, bytes)
    return end.isWindowFull ? this.#room : Effect.void
  }

  /** Writes no more. The peer reads everything that was written, and then the end; we read on until it has closed too. */
  finish(): void {
    this.#end?.finish()
  }

  /** Reads and writes no more. The peer reads everything that was written, and then the end. */
  close(code: number): void {
    this.#end?.close()
    this.#chunks = []
    this.#finish(() => closeError(code))
  }

  /** Ends at once. The peer is reset. */
  destroy(): void {
    this.#end?.abort()
    this.#chunks = []
    this.#finish(() => closeError(1006))
  }

  readonly #room: Effect.Effect<void, Socket.SocketError> = Effect.callback((resume) => {
    this.#writers.push(resume)
    this.#node.waits(`room to write to ${this.#peer}`)
    return Effect.sync(() => {
      this.#writers = this.#writers.filter((other) => other !== resume)
    })
  })

  readonly #handlers: Handlers = {
    onOpen: () => {
      const resume = this.#opened
      this.#opened = undefined
      resume?.(Effect.succeed(this))
    },
    onMessage: (bytes: Uint8Array) => this.#take(bytes),
    onClose: (reason) => this.#closed(reason)
  }

  #attach(end: End): void {
    this.#end = end
    end.onDrain = () => this.#release(Effect.void)
  }

  #take(bytes: Uint8Array): void {
    const end = this.#end as End
    const nth = this.#count++
    this.#bytes += bytes.length
    if (bytes.length > 1 && Chance.happens(end.key ^ 1, nth, piecesProbability)) {
      const cut = Chance.integer(end.key ^ 2, nth, 1, bytes.length - 1)
      this.#chunks.push(bytes.subarray(0, cut), bytes.subarray(cut))
    } else this.#chunks.push(bytes)
    this.#drain()
  }

  #closed(reason: CloseReason): void {
    if (this.#opened !== undefined) {
      const code = reason === "closed" ? codes.reset : codes[reason]
      const cause = Object.assign(new Error(`connect ${code} ${this.#peer}`), { code })
      const resume = this.#opened
      this.#opened = undefined
      resume(Effect.fail(new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })))
    } else if (reason === "closed") this.#finish(() => closeError(1000))
    else {
      this.#chunks = []
      this.#finish(() => readError(codes[reason]))
    }
  }

  #finish(failure: () => Socket.SocketError): void {
    this.#ended ??= failure
    if (this.#writers.length > 0) this.#release(Effect.fail(writeError(new Error("socket closed"))))
    this.#drain()
  }

  #drain(): void {
    const resume = this.#reader
    if (resume === undefined) return
    const chunks = this.#chunks
    if (isSome(chunks)) {
      this.#reader = undefined
      this.#chunks = []
      this.#end?.consumed(this.#bytes)
      this.#bytes = 0
      resume(Effect.succeed(chunks))
    } else {
      const { failure } = this
      if (failure === undefined) return
      this.#reader = undefined
      resume(Effect.fail(failure))
    }
  }

  #release(outcome: Effect.Effect<void, Socket.SocketError>): void {
    const writers = this.#writers
    this.#writers = []
    for (const resume of writers) resume(outcome)
  }
}

const encoder = new TextEncoder()

/** A short text, mostly ASCII, is encoded by hand before the encoder is called; measured three times as fast. */
function encode(text: string): Uint8Array {
  const { length } = text
  if (length > 64) return encoder.encode(text)
  const bytes = new Uint8Array(length)
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index)
    if (unit > 127) return encoder.encode(text)
    bytes[index] = unit
  }
  return bytes
}

function closeError(code: number): Socket.SocketError {
  return new Socket.SocketError({ reason: new Socket.SocketCloseError({ code }) })
}

function readError(code: string): Socket.SocketError {
  const cause = Object.assign(new Error(`read ${code}`), { code })
  return new Socket.SocketError({ reason: new Socket.SocketReadError({ cause }) })
}

function writeError(cause: Error): Socket.SocketError {
  return new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause }) })
}
