/**
 * The `Dial` port on real WebSockets.
 */
import * as NodeWS from "@effect/platform-node/NodeWS"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Dial from "../../core/ports/Dial.ts"
import * as LiveSocket from "../../core/socket/LiveSocket.ts"
import { optionsOf, WsTransport } from "./WsTransport.ts"

/** Of whoever is dialled by `wss:`. All in PEM. */
export interface TlsOptions {
  /** Signs the certificates of servers; those that the system trusts, if undefined. */
  readonly authority?: string | undefined
  /** Shown to servers that ask. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
}

/** `limits` replaces single limits of `core/Limits.ts`. */
export const layer = (limits: Partial<LiveSocket.Limits> = {}, tls: TlsOptions = {}): Layer.Layer<Dial.Dial> => {
  const all = { ...LiveSocket.defaultLimits, ...limits }
  return Layer.succeed(
    Dial.Dial,
    Dial.Dial.of({
      dial: (address, { headers }) =>
        LiveSocket.dial({
          address,
          limits: all,
          connect: connect(address, headers, all, tls),
          reasonOf: ({ failure }) => failure
        })
    })
  )
}

const connect = (
  address: string,
  headers: Dial.Options["headers"],
  limits: LiveSocket.Limits,
  tls: TlsOptions
): Effect.Effect<WsTransport, Dial.Reason> =>
  Effect.suspend(() => {
    const url = Dial.parseAddress(address)
    if (!(url instanceof URL)) return Effect.fail(url)
    return Effect.try({
      try: () => open(url, headers, limits, tls),
      // Headers that are none.
      catch: (cause) => new Dial.Malformed({ detail: cause instanceof Error ? cause.message : String(cause) })
    })
  })

function open(
  url: URL,
  headers: Dial.Options["headers"],
  limits: LiveSocket.Limits,
  { authority, certificate, key }: TlsOptions
): WsTransport {
  const options: NodeWS.ClientOptions = {
    ...optionsOf(limits.frameBytesMax),
    headers,
    ...(authority === undefined ? {} : { ca: authority }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    finishRequest: (request) => {
      request.on("response", ({ headers, statusCode }) => {
        transport.failure = Dial.refusalOf(statusCode ?? 0, headers["retry-after"])
      })
      request.end()
    }
  }
  const ws = new NodeWS.WebSocket(url, options)
  const transport = new WsTransport(ws)
  ws.on("error", (error) => {
    transport.failure ??= reasonOf(error)
  })
  return transport
}

function reasonOf(error: Error): Dial.Reason {
  const { code } = error as { readonly code?: string }
  if (code === "ECONNREFUSED") return new Dial.Refused()
  return new Dial.Unreachable({ detail: code === undefined ? error.message : `${code}: ${error.message}` })
}
