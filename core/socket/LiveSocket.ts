/**
 * What Effect's sockets on WebSockets lack, for both ends and in both worlds: a writer that waits while the other end takes
 * nothing, an end that is noticed when it has fallen silent, and writes that fail once there is nobody to write to.
 *
 * - L1 Both ends ping at an interval; whatever comes is a sign of life. Several intervals without one end the connection with
 *   1006. An end whose program reads nothing hears nothing, and judges nobody; but it pings, and so is not given up.
 * - L2 A write returns once it, and all before it, is on its way or waits within the transport's bound; it fails when the
 *   connection ends while it waits. Like every write to a network, one that succeeded may have reached nobody.
 * - L3 A message above the limit is refused before it is sent. One that comes is answered with 1009.
 *
 * Absent on purpose: connecting again, which is a retry around the reader's scope.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import {
  socketFrameBytesMax,
  socketOpenTimeoutMillis,
  socketPingIntervalMillis,
  socketSilentIntervalsMax
} from "../Limits.ts"
import * as Dial from "../ports/Dial.ts"
import * as Hearing from "./Hearing.ts"

/** A WebSocket as `ws` has it, and what is needed to keep it honest. */
export interface Transport extends Socket.WebSocketLike {
  readonly isPaused: boolean
  pause(): void
  resume(): void
  ping(): void
  /** Ends it at once and without a close frame. */
  terminate(): void
  /** Counts up with whatever comes, of whatever kind. */
  readonly heard: number
  /** More waits to be taken than a writer should add to. */
  readonly isFull: boolean
  /** Calls back once there is room, or nothing to wait for any more; returns how to take that back. */
  onRoom(callback: () => void): () => void
}

export interface Limits {
  /** Bytes of one message. */
  readonly frameBytesMax: number
  readonly pingIntervalMillis: number
  /** An end that was not heard in so many intervals is lost. */
  readonly silentIntervalsMax: number
  readonly openTimeoutMillis: number
}

export const defaultLimits: Limits = {
  frameBytesMax: socketFrameBytesMax,
  pingIntervalMillis: socketPingIntervalMillis,
  silentIntervalsMax: socketSilentIntervalsMax,
  openTimeoutMillis: socketOpenTimeoutMillis
}

const isOpen = (transport: Transport): boolean => transport.readyState === 1

/** `transportOf` is asked each time a reader of the inner socket was acquired. */
export const make = (inner: Socket.Socket, transportOf: () => Transport, limits: Limits): Socket.Socket => {
  let current: Transport | undefined

  const reader = Effect.gen(function* () {
    const { pull, upgrade } = yield* inner.reader
    const transport = transportOf()
    let isLost = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        if (current === transport) current = undefined
      })
    )
    const listening = listen(transport, limits).pipe(
      Effect.andThen(
        Effect.sync(() => {
          isLost = true
          transport.terminate()
        })
      )
    )
    yield* Effect.forkScoped(listening)
    current = transport
    return {
      pull: Effect.mapError(pull, (error) => (isLost ? silence(error, limits) : error)),
      upgrade
    }
  })

  /** Waits for room after a write. */
  const settled = Effect.suspend(() => {
    const transport = current
    if (transport === undefined || !transport.isFull) return Effect.void
    const room = Effect.callback<void>((resume) => {
      const takeBack = transport.onRoom(() => resume(Effect.void))
      return Effect.sync(takeBack)
    })
    return Effect.andThen(
      room,
      Effect.suspend(() => (isOpen(transport) ? Effect.void : Effect.fail(writeError("the connection has ended"))))
    )
  })

  const unfit = (chunk: Uint8Array | string | Socket.CloseEvent): Socket.SocketError | undefined => {
    if (Socket.isCloseEvent(chunk)) return undefined
    if (current !== undefined && !isOpen(current)) return writeError("the connection has ended")
    const bytes = bytesOf(chunk, limits.frameBytesMax)
    if (bytes <= limits.frameBytesMax) return undefined
    return writeError(`a message of ${bytes} bytes is above the limit of ${limits.frameBytesMax}`)
  }

  const writer = Effect.map(inner.writer, ({ write, writeAll }): Socket.Writer => ({
    write: (chunk) =>
      Effect.suspend(() => {
        const problem = unfit(chunk)
        return problem === undefined ? Effect.andThen(write(chunk), settled) : Effect.fail(problem)
      }),
    writeAll: (chunks) =>
      Effect.suspend(() => {
        const problem = chunks.map(unfit).find((found) => found !== undefined)
        return problem === undefined ? Effect.andThen(writeAll(chunks), settled) : Effect.fail(problem)
      })
  }))
  return Socket.make({ reader, writer })
}

/** A socket that dials anew for each reader. `reasonOf` knows why a transport did not open, if it does. */
export const dial = <T extends Transport>(options: {
  readonly address: string
  readonly limits: Limits
  readonly connect: Effect.Effect<T, Dial.Reason>
  readonly reasonOf: (transport: T) => Dial.Reason | undefined
}): Effect.Effect<Socket.Socket> => {
  const { address, connect, limits, reasonOf } = options
  const failed = (reason: Dial.Reason): Socket.SocketError =>
    new Socket.SocketError({
      reason: new Socket.SocketOpenError({
        kind: reason._tag === "TimedOut" ? "Timeout" : "Unknown",
        cause: new Dial.DialError({ address, reason })
      })
    })
  let latest: T | undefined
  const acquire: Effect.Effect<T, Socket.SocketError, Scope.Scope> = Effect.acquireRelease(
    Effect.mapError(connect, failed),
    (transport, exit) => Effect.sync(() => transport.close(closeCodeOf(exit)))
  ).pipe(
    Effect.tap((transport) =>
      Effect.sync(() => {
        latest = transport
      })
    )
  )
  const why = (error: Socket.SocketError): Dial.Reason => {
    const { reason } = error
    if (reason._tag === "SocketOpenError" && reason.kind === "Timeout") {
      return new Dial.TimedOut({ limitMillis: limits.openTimeoutMillis })
    }
    const known = latest === undefined ? undefined : reasonOf(latest)
    return known ?? new Dial.Unreachable({ detail: error.message })
  }
  return Effect.map(Socket.fromWebSocket(acquire, { openTimeout: limits.openTimeoutMillis }), (inner) => {
    const reader = Effect.mapError(inner.reader, (error) =>
      Dial.dialErrorOf(error) === undefined ? failed(why(error)) : error
    )
    return make(Socket.make({ reader, writer: inner.writer }), () => latest as T, limits)
  })
}

/** Why a connection is closed by the end of whatever used it: done, told to go, or failed. */
export const closeCodeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 1000
  return Cause.hasInterruptsOnly(exit.cause) ? 1001 : 1011
}

/** Pings until the other end is lost. Ends with the connection. */
const listen = (transport: Transport, limits: Limits): Effect.Effect<void> =>
  Effect.gen(function* () {
    let hearing = Hearing.atFirst(transport.heard)
    while (!Hearing.isLost(hearing, limits.silentIntervalsMax)) {
      yield* Effect.sleep(limits.pingIntervalMillis)
      if (!isOpen(transport)) return yield* Effect.never
      hearing = Hearing.look(hearing, transport)
      transport.ping()
    }
  })

const encoder = new TextEncoder()

/** The length of a text is bounded by its units from both sides; what is near the limit is encoded to know. */
export function bytesOf(chunk: Uint8Array | string, limit: number): number {
  const { length } = chunk
  if (typeof chunk !== "string" || length > limit || length * 3 <= limit) return length
  return encoder.encode(chunk).length
}

function silence(error: Socket.SocketError, limits: Limits): Socket.SocketError {
  const { reason } = error
  if (reason._tag !== "SocketCloseError" || reason.code !== 1006) return error
  const closeReason = `nothing heard for ${limits.silentIntervalsMax * limits.pingIntervalMillis} ms`
  return new Socket.SocketError({ reason: new Socket.SocketCloseError({ code: 1006, closeReason }) })
}

function writeError(message: string): Socket.SocketError {
  return new Socket.SocketError({ reason: new Socket.SocketWriteError({ cause: new Error(message) }) })
}
