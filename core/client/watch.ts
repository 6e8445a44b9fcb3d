/**
 * Watches by any of several addresses, for ever: goes on from the last token wherever it is answered, and lists again where that is
 * not kept any more. One who is silent is given up: a live stream says something every `watchBookmarkMillis`.
 */
import * as Effect from "effect/Effect"
import * as Sse from "effect/encoding/Sse"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import { emit } from "../facts/Facts.ts"
import { watchSilentMillis } from "../Limits.ts"
import * as Dial from "../ports/Dial.ts"
import type { Cursor } from "../ports/Feed.ts"
import type { WatchDelivered, WatchExpired, WatchOpened, WatchReset } from "../watch/WatchFacts.ts"
import { closeCodes } from "../session/SessionEnd.ts"
import { decode, decodeMessage, type Frame, type WatchEvent } from "../watch/WatchFrame.ts"
import { closeCodeOf, pauseMillis, retryAfterSecondsOf } from "./redial.ts"

export interface Watching<E, R> {
  /** "http://n1:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
  /** "/v1/projects/shop/watch?kinds=fleets". */
  readonly path: string
  /** Where an earlier one ended, whose state is still known. */
  readonly after?: Cursor
  /** The next frame is not read before it has ended. Who is too slow is cut off, and goes on from its last token. */
  readonly onFrame: (frame: Frame) => Effect.Effect<void, E, R>
  /** Told each time that nobody has answered at all the addresses in turn. */
  readonly onUnreached?: Effect.Effect<void, E, R>
}

/** The server does not take this request. Another one would not either. */
export class WatchRefused {
  readonly _tag = "WatchRefused"
  readonly status: number
  readonly message: string
  constructor(status: number, message: string) {
    this.status = status
    this.message = message
  }
}

/** How a stream ended that was not refused for good. */
interface Ended {
  /** The token is not kept any more. */
  readonly isExpired?: boolean
  readonly retryAfterSeconds?: number
}

interface Opening<E> {
  readonly address: string
  readonly path: string
  readonly token: Cursor | undefined
  readonly onOpen: Effect.Effect<void>
  readonly onFrame: (frame: Frame) => Effect.Effect<void, Handled<E>>
}

/** One stream, to its end. Whatever else it fails with is the end of this stream and no more. */
type Open<R2> = <E>(
  opening: Opening<E>
) => Effect.Effect<Ended, WatchRefused | Handled<E> | { readonly _tag: string }, R2>

/** By server-sent events. Ends only as its handlers do, or when it is refused. */
export const watch = <E, R>(
  watching: Watching<E, R>
): Effect.Effect<never, E | WatchRefused, R | HttpClient.HttpClient> => follow(watching, openEvents)

/** By a WebSocket at the same path, otherwise the same. */
export const watchBySocket = <E, R>(watching: Watching<E, R>): Effect.Effect<never, E | WatchRefused, R | Dial.Dial> =>
  follow(watching, openSocket)

const follow = <E, R, R2>(watching: Watching<E, R>, open: Open<R2>): Effect.Effect<never, E | WatchRefused, R | R2> =>
  Effect.gen(function* () {
    const { addresses, onFrame, path } = watching
    const services = yield* Effect.context<R>()
    let token = watching.after
    let failures = 0
    for (let nth = 0; ; nth++) {
      const address = addresses[nth % addresses.length]!
      const stream = open<E>({
        address,
        path,
        token,
        onOpen: Effect.suspend(() =>
          emit<WatchOpened>({ _tag: "WatchOpened", address, isResumed: token !== undefined })
        ),
        onFrame: (frame) =>
          Effect.gen(function* () {
            failures = 0
            yield* tell(frame)
            yield* Effect.provide(onFrame(frame), services).pipe(Effect.mapError((error) => new Handled(error)))
            if (frame._tag === "Reset") token = undefined
            else if (frame.token !== undefined) token = frame.token
          })
      })
      const result = yield* Effect.result(stream)
      if (result._tag === "Failure") {
        const { failure } = result
        if (failure instanceof WatchRefused) return yield* Effect.fail(failure)
        if (failure instanceof Handled) return yield* Effect.fail(failure.error as E)
      }
      const { isExpired = false, retryAfterSeconds = 0 } = result._tag === "Success" ? result.success : {}
      if (isExpired) {
        yield* emit<WatchExpired>({ _tag: "WatchExpired" })
        token = undefined
        failures = 0
        continue
      }
      failures++
      if (failures > 1 && failures % addresses.length === 0) yield* watching.onUnreached ?? Effect.void
      yield* Effect.sleep(pauseMillis({ failures, retryAfterSeconds, fraction: yield* Random.next }))
    }
  })

const openEvents: Open<HttpClient.HttpClient> = ({ address, onFrame, onOpen, path, token }) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.get(`${address}${path}`, {
      headers: { accept: "text/event-stream", ...(token === undefined ? {} : { "last-event-id": token }) }
    })
    const response = yield* client.execute(request).pipe(Effect.timeoutOption(watchSilentMillis))
    if (Option.isNone(response)) return {}
    const { headers, status } = response.value
    if (status === 410) return { isExpired: true }
    if (status === 421 || status === 429 || status >= 500)
      return { retryAfterSeconds: Number(headers["retry-after"] ?? 0) || 0 }
    if (status >= 400) return yield* Effect.fail(new WatchRefused(status, yield* response.value.text))
    if (status !== 200) return {}
    yield* onOpen
    yield* response.value.stream.pipe(
      Stream.decodeText,
      Stream.pipeThroughChannel(Sse.decode()),
      Stream.timeout(watchSilentMillis),
      Stream.runForEach((told) => {
        const frame = decode(told)
        return frame === undefined ? Effect.void : onFrame(frame)
      })
    )
    return {}
  })

const openSocket: Open<Dial.Dial> = ({ address, onFrame, onOpen, path, token }) =>
  Effect.gen(function* () {
    const after = token === undefined ? "" : `${path.includes("?") ? "&" : "?"}after=${encodeURIComponent(token)}`
    const socket = yield* Dial.dial(`${address.replace(/^http/, "ws")}${path}${after}`, { headers: {} })
    const { pull } = yield* socket.reader
    yield* onOpen
    for (;;) {
      const messages = yield* Effect.timeoutOption(pull, watchSilentMillis)
      if (Option.isNone(messages)) return {} satisfies Ended as Ended
      for (const message of messages.value) {
        const frame = typeof message === "string" ? decodeMessage(message) : undefined
        if (frame !== undefined) yield* onFrame(frame)
      }
    }
  }).pipe(
    Effect.scoped,
    Effect.catchTag("SocketError", (error): Effect.Effect<Ended, WatchRefused> => {
      const code = closeCodeOf(error)
      if (code === closeCodes.compacted) return Effect.succeed({ isExpired: true })
      if (code === closeCodes.keyEnded || code === closeCodes.keyForbids) {
        return Effect.fail(new WatchRefused(code === closeCodes.keyEnded ? 401 : 403, error.message))
      }
      const reason = Dial.dialErrorOf(error)?.reason
      const isFinal = reason?._tag === "Unauthorised" || (reason?._tag === "Rejected" && isRefusal(reason.status))
      return isFinal
        ? Effect.fail(new WatchRefused(reason.status, error.message))
        : Effect.succeed({ retryAfterSeconds: retryAfterSecondsOf(error) })
    })
  )

/** Another server would refuse as well; 421 is of a node that serves no API. */
const isRefusal = (status: number): boolean => status >= 400 && status < 500 && status !== 421 && status !== 429

/** What a handler failed with, on its way through the stream. */
class Handled<E> {
  readonly _tag = "Handled"
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

const tell = (frame: Frame): Effect.Effect<void> => {
  switch (frame._tag) {
    case "Reset":
      return emit<WatchReset>({ _tag: "WatchReset" })
    case "Bookmark":
      return Effect.void
    case "Changes": {
      const events = frame.changes.events.map((event) => {
        const { id, kind, type } = event
        return { type, kind, id, version: versionOf(event) }
      })
      return emit<WatchDelivered>({ _tag: "WatchDelivered", events, isComplete: frame.changes.isComplete })
    }
  }
}

/** Tells one state of a row from the one before. */
export function versionOf({ document, kind }: Pick<WatchEvent, "document" | "kind">): string {
  switch (kind) {
    case "instance":
      return String(document["revision"])
    case "fleet":
      return `${document["createdAt"]}/${document["generation"]}/${document["parkedAt"]}`
    default:
      return JSON.stringify(document)
  }
}
