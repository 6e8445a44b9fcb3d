/**
 * The `Dial` port on simulated connections; and Effect's `WebSocketConstructor` for programs that use Effect's own sockets.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Socket from "effect/socket/Socket"
import * as Dial from "../../core/ports/Dial.ts"
import * as LiveSocket from "../../core/socket/LiveSocket.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { CurrentNetwork } from "./CurrentNetwork.ts"
import { SimWebSocket } from "./SimWebSocket.ts"

/** `limits` replaces single limits of `core/Limits.ts`. */
export const layer = (limits: Partial<LiveSocket.Limits> = {}): Layer.Layer<Dial.Dial, never, SimNode> =>
  Layer.effect(
    Dial.Dial,
    Effect.gen(function* () {
      const node = yield* CurrentNode
      const network = yield* CurrentNetwork
      const all = { ...LiveSocket.defaultLimits, ...limits }
      return Dial.Dial.of({
        dial: (address, { headers }) =>
          LiveSocket.dial({
            address,
            limits: all,
            connect: Effect.suspend(() => {
              const url = parse(address)
              if (!(url instanceof URL)) return Effect.fail(url)
              return Effect.succeed(
                SimWebSocket.connect(network, node, { url, headers, frameBytesMax: all.frameBytesMax })
              )
            }),
            reasonOf: ({ failure }) => failure
          })
      })
    })
  )

/** For `Socket.layerWebSocket` and its like; without what `Dial` adds. */
export const layerWebSocketConstructor: Layer.Layer<Socket.WebSocketConstructor, never, SimNode> = Layer.effect(
  Socket.WebSocketConstructor,
  Effect.gen(function* () {
    const node = yield* CurrentNode
    const network = yield* CurrentNetwork
    return (address, options) => {
      const url = parse(address)
      if (!(url instanceof URL)) throw new SyntaxError(`${address}: ${url.message}`)
      const headers = typeof options === "object" && !Array.isArray(options) ? options.headers : undefined
      const { frameBytesMax } = LiveSocket.defaultLimits
      return SimWebSocket.connect(network, node, { url, headers: headers ?? {}, frameBytesMax })
    }
  })
)

function parse(address: string): URL | Dial.Malformed {
  const url = Dial.parseAddress(address)
  if (!(url instanceof URL) || url.protocol === "ws:") return url
  return new Dial.Malformed({
    detail: "wss: is not simulated: give the program a ws: address, and leave TLS to what stands before it"
  })
}
