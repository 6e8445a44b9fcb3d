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
import { watchPauseMillisMax, watchPauseMillisMin, watchSilentMillis } from "../Limits.ts"
import type { Cursor } from "../ports/Feed.ts"
import type { WatchDelivered, WatchExpired, WatchOpened, WatchReset } from "../watch/WatchFacts.ts"
import { decode, type Frame, type WatchEvent } from "../watch/WatchFrame.ts"

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

/** Ends only as its handlers do, or when it is refused. */
export const watch = <E, R>(
  watching: Watching<E, R>
): Effect.Effect<never, E | WatchRefused, R | HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const { addresses, onFrame, path } = watching
    const client = yield* HttpClient.HttpClient
    let token = watching.after
    let current = 0
    let failures = 0
    while (true) {
      const address = addresses[current % addresses.length]!
      const stream = Effect.gen(function* () {
        const request = HttpClientRequest.get(`${address}${path}`, {
          headers: { accept: "text/event-stream", ...(token === undefined ? {} : { "last-event-id": token }) }
        })
        const response = yield* client.execute(request).pipe(Effect.timeoutOption(watchSilentMillis))
        if (Option.isNone(response)) return
        const { status } = response.value
        if (status === 410) {
          yield* emit<WatchExpired>({ _tag: "WatchExpired" })
          token = undefined
          failures = 0
          return
        }
        if (status >= 400 && status < 500)
          return yield* Effect.fail(new WatchRefused(status, yield* response.value.text))
        if (status !== 200) return
        yield* emit<WatchOpened>({ _tag: "WatchOpened", address, isResumed: token !== undefined })
        yield* response.value.stream.pipe(
          Stream.decodeText,
          Stream.pipeThroughChannel(Sse.decode()),
          Stream.timeout(watchSilentMillis),
          Stream.runForEach((told) =>
            Effect.gen(function* () {
              const frame = decode(told)
              if (frame === undefined) return
              failures = 0
              yield* tell(frame)
              yield* onFrame(frame).pipe(Effect.mapError((error) => new Handled(error)))
              if (frame._tag === "Reset") token = undefined
              else if (frame.token !== undefined) token = frame.token
            })
          )
        )
      })
      const result = yield* Effect.result(stream)
      if (result._tag === "Failure") {
        const { failure } = result
        if (failure instanceof WatchRefused) return yield* Effect.fail(failure)
        if (failure instanceof Handled) return yield* Effect.fail(failure.error as E)
      }
      current++
      failures++
      if (failures <= 1) continue
      if (failures % addresses.length === 0) yield* watching.onUnreached ?? Effect.void
      const longest = Math.min(watchPauseMillisMax, watchPauseMillisMin * 2 ** Math.min(failures, 10))
      yield* Effect.sleep((0.5 + (yield* Random.next) / 2) * longest)
    }
  })

/** What a handler failed with, on its way through the stream. */
class Handled {
  readonly _tag = "Handled"
  readonly error: unknown
  constructor(error: unknown) {
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
      return `${document["createdAt"]}/${document["generation"]}`
    default:
      return JSON.stringify(document)
  }
}
