/**
 * What travels on a connection once it was upgraded: messages and control frames of RFC 6455, whole.
 */
import type { End } from "./Connection.ts"

export type WebSocketFrame =
  | { readonly _tag: "Message"; readonly data: Uint8Array | string; readonly bytes: number }
  | { readonly _tag: "Ping" }
  | { readonly _tag: "Pong" }
  /** 1005 stands for a close frame that says no code. */
  | { readonly _tag: "Close"; readonly code: number; readonly reason: string }
  /** Nothing follows, as TCP says it: the connection itself ends once both have said so. */
  | { readonly _tag: "Fin" }

/** The head of a frame, roughly. */
const headBytes = 6

/** What a frame takes of the connection's window. */
export const sizeOf = (frame: WebSocketFrame): number => headBytes + (frame._tag === "Message" ? frame.bytes : 0)

export const sendWebSocketFrame = (end: End, frame: WebSocketFrame): void => {
  const { digest } = end.network.kernel.facts
  switch (frame._tag) {
    case "Message":
      return end.send(frame, sizeOf(frame), frame.data, { http: `message of ${frame.bytes} bytes` })
    case "Ping":
    case "Pong":
    case "Fin":
      return end.send(frame, sizeOf(frame), frame._tag, { http: frame._tag.toLowerCase() })
    case "Close":
      end.send(frame, sizeOf(frame), frame.reason, { http: `close ${frame.code}` })
      return digest.mix(frame.code)
  }
}
