/**
 * What travels on a connection that carries HTTP/1.1: heads and chunks, one exchange after the other.
 */
import * as Effect from "effect/Effect"
import type * as HttpBody from "effect/http/HttpBody"
import * as Stream from "effect/Stream"
import type { End } from "./Connection.ts"
import { IncomingBody } from "./IncomingBody.ts"

export type HttpFrame =
  | {
      readonly _tag: "Request"
      readonly method: string
      readonly url: string
      readonly headers: Readonly<Record<string, string>>
      readonly body: Uint8Array | undefined
      /** Chunks follow. */
      readonly hasMore: boolean
    }
  | {
      readonly _tag: "Response"
      readonly status: number
      readonly headers: Readonly<Record<string, string | Array<string>>>
      readonly body: Uint8Array | undefined
      readonly hasMore: boolean
    }
  | { readonly _tag: "Chunk"; readonly bytes: Uint8Array }
  | { readonly _tag: "EndOfBody" }

/** Request and status lines with headers, roughly. */
const headBytes = 256
const chunkBytesMax = 16_384

/** What the head of an exchange takes of the connection's window, with a body that came in one piece. */
const sizeOfHead = ({ body }: { readonly body: Uint8Array | undefined }): number => headBytes + (body?.length ?? 0)

/** A head has come: it is taken at once, whether or not anybody reads its body. */
export const takeHead = (end: End, frame: Extract<HttpFrame, { _tag: "Request" | "Response" }>): IncomingBody => {
  end.consumed(sizeOfHead(frame))
  const body = new IncomingBody((bytes) => end.consumed(bytes), frame.body)
  if (!frame.hasMore) body.end()
  return body
}

export const sendFrame = (end: End, frame: HttpFrame): void => {
  switch (frame._tag) {
    case "Request": {
      const line = `${frame.method} ${frame.url}`
      const body = frame.body ?? new Uint8Array(0)
      end.send(frame, sizeOfHead(frame), line, { http: line })
      // The text is the line; headers and body count by themselves.
      end.network.kernel.facts.digest.mixValue(frame.headers)
      end.network.kernel.facts.digest.mixBytes(body)
      return
    }
    case "Response":
      end.send(frame, sizeOfHead(frame), frame.body ?? "", { http: String(frame.status) })
      end.network.kernel.facts.digest.mix(frame.status)
      end.network.kernel.facts.digest.mixValue(frame.headers)
      return
    case "Chunk":
      return end.send(frame, frame.bytes.length, frame.bytes, { http: "chunk" })
    case "EndOfBody":
      return end.send(frame, 0, "end", { http: "end of body" })
  }
}

/** A body as one piece when it is at hand, else as a stream. FormData and host objects have no form on this network. */
export const bodyOf = (
  body: HttpBody.HttpBody
): { readonly whole: Uint8Array | undefined } | { readonly stream: Stream.Stream<Uint8Array, unknown> } | undefined => {
  switch (body._tag) {
    case "Empty":
      return { whole: undefined }
    case "Uint8Array":
      return { whole: body.body }
    case "Stream":
      return { stream: body.stream }
    case "Raw":
      if (body.body instanceof Uint8Array) return { whole: body.body }
      if (typeof body.body === "string") return { whole: new TextEncoder().encode(body.body) }
      return undefined
    case "FormData":
      return undefined
  }
}

/** Sends chunks and the end of the body, waiting whenever the window is full; reads no more of it when the connection is over. */
export const sendStream = <E>(end: End, stream: Stream.Stream<Uint8Array, E>): Effect.Effect<void, E> =>
  Stream.runForEach(
    Stream.takeWhile(stream, () => end.state === "open"),
    (bytes) =>
      Effect.andThen(
        Effect.sync(() => {
          for (let offset = 0; offset < bytes.length; offset += chunkBytesMax) {
            sendFrame(end, { _tag: "Chunk", bytes: bytes.slice(offset, offset + chunkBytesMax) })
          }
        }),
        drained(end)
      )
  ).pipe(Effect.andThen(Effect.sync(() => sendFrame(end, { _tag: "EndOfBody" }))))

/** Waits while more than a window is on its way. */
export const drained = (end: End): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (!end.isWindowFull || end.state !== "open") return Effect.void
    return Effect.callback<void>((resume) => {
      end.node.waits(`the window of its connection to ${end.link.target}:${end.port}`)
      end.onDrain = () => resume(Effect.void)
      return Effect.sync(() => {
        end.onDrain = undefined
      })
    })
  })
