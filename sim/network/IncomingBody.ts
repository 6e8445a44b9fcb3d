/**
 * A body that arrives in chunks over a connection: read whole or as a stream, once, without promises of the host.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as Stream from "effect/Stream"

type State =
  | { readonly _tag: "Open" }
  | { readonly _tag: "Ended" }
  /** The connection broke before the end. */
  | { readonly _tag: "Broken"; readonly cause: Error }

export class BodyTooLarge extends Error {
  override readonly name = "BodyTooLarge"

  constructor(limit: number) {
    super(`the body is larger than ${limit} bytes`)
  }
}

export class IncomingBody {
  #first: Uint8Array | undefined
  #chunks: Array<Uint8Array> = []
  #state: State = { _tag: "Open" }
  #whole: Uint8Array | undefined
  /** Read so far by whoever wants all of it. */
  #read: Array<Uint8Array> = []
  #readLength = 0
  #tooLarge: BodyTooLarge | undefined
  #isDiscarded = false
  #wake: (() => void) | undefined
  readonly #consumed: (bytes: number) => void

  /** `consumed` is told when the program has taken bytes of what was pushed; `first` was at hand from the start. */
  constructor(consumed: (bytes: number) => void, first: Uint8Array | undefined) {
    this.#consumed = consumed
    this.#first = first
  }

  get isEnded(): boolean {
    return this.#state._tag === "Ended"
  }

  push(chunk: Uint8Array): void {
    if (this.#isDiscarded) return this.#consumed(chunk.length)
    this.#chunks.push(chunk)
    this.#notify()
  }

  /** Nobody wants the rest: it is taken from the connection and forgotten, as Node does. */
  discard(): void {
    this.#isDiscarded = true
    this.#take()
  }

  end(): void {
    if (this.#state._tag === "Open") this.#state = { _tag: "Ended" }
    this.#notify()
  }

  fail(cause: Error): void {
    if (this.#state._tag === "Open") this.#state = { _tag: "Broken", cause }
    this.#notify()
  }

  /** Everything, once the end is there; may be asked for again. Fails with `BodyTooLarge` above Effect's `MaxBodySize`. */
  readonly bytes: Effect.Effect<Uint8Array, Error> = Effect.suspend(() => {
    if (this.#tooLarge !== undefined) return Effect.fail(this.#tooLarge)
    // As it comes: it may be longer than the connection's window.
    for (const chunk of this.#take()) {
      this.#read.push(chunk)
      this.#readLength += chunk.length
    }
    // Not by an effect of its own, which would move every preemption that counts operations.
    const limit = Fiber.getCurrent()?.getRef(HttpIncomingMessage.MaxBodySize)
    if (limit !== undefined && this.#readLength > Number(limit)) {
      this.#tooLarge = new BodyTooLarge(Number(limit))
      this.#read = []
      this.discard()
      return Effect.fail(this.#tooLarge)
    }
    switch (this.#state._tag) {
      case "Ended":
        this.#whole ??= concat(this.#read)
        this.#read = []
        return Effect.succeed(this.#whole)
      case "Broken":
        return Effect.fail(this.#state.cause)
      case "Open":
        return Effect.andThen(this.#changed, this.bytes)
    }
  })

  readonly #pull: Effect.Effect<readonly [Uint8Array, ...Array<Uint8Array>], Error | Cause.Done> = Effect.suspend(
    () => {
      if (this.#chunks.length > 0 || this.#first !== undefined)
        return Effect.succeed(this.#take() as [Uint8Array, ...Array<Uint8Array>])
      switch (this.#state._tag) {
        case "Ended":
          return Cause.done()
        case "Broken":
          return Effect.fail(this.#state.cause)
        case "Open":
          return Effect.andThen(this.#changed, this.#pull)
      }
    }
  )

  readonly stream: Stream.Stream<Uint8Array, Error> = Stream.fromPull(Effect.succeed(this.#pull))

  readonly #changed: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.#wake = () => resume(Effect.void)
    return Effect.sync(() => {
      this.#wake = undefined
    })
  })

  #take(): Array<Uint8Array> {
    const chunks = this.#chunks
    this.#chunks = []
    for (const chunk of chunks) this.#consumed(chunk.length)
    if (this.#first === undefined) return chunks
    chunks.unshift(this.#first)
    this.#first = undefined
    return chunks
  }

  #notify(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

const concat = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (chunks.length === 1) return chunks[0] as Uint8Array
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    whole.set(chunk, offset)
    offset += chunk.length
  }
  return whole
}
