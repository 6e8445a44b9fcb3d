/**
 * The calling end of a WebSocket: dialled with headers, authenticated at the upgrade.
 *
 * - D1 Nothing is dialled before the socket's reader is acquired, and each reader dials anew: to connect again is a retry around
 *   the scope of the reader.
 * - D2 A dialling that fails does so while the reader is acquired, as a `SocketError` whose cause is a `DialError`
 *   (`dialErrorOf`). What ends an open connection has a close code: 1006 when it broke, or when nothing was heard for too long.
 * - D3 Every element that a reader pulls is one message. A writer waits while the other end takes nothing.
 *
 * The serving end is `HttpServerRequest.upgrade`: a handler that answers instead of upgrading has refused.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Socket from "effect/socket/Socket"

/** Nobody listens at the address. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {
  override get message() {
    return "connection refused"
  }
}

/** The server answered the upgrade with 401 or 403: the headers do not let us in, and will not. */
export class Unauthorised extends Schema.TaggedError<Unauthorised>()("Unauthorised", { status: Schema.Int }) {
  override get message() {
    return `not let in: status ${this.status}`
  }
}

/** The server answered the upgrade with another status than 101; and for how long it asked to be left alone. */
export class Rejected extends Schema.TaggedError<Rejected>()("Rejected", {
  status: Schema.Int,
  retryAfterSeconds: Schema.optionalKey(Schema.Int)
}) {
  override get message() {
    return `no upgrade: status ${this.status}`
  }
}

/** Nobody has answered in time; the server may have taken the connection for open. */
export class TimedOut extends Schema.TaggedError<TimedOut>()("TimedOut", { limitMillis: Schema.Number }) {
  override get message() {
    return `no answer within ${this.limitMillis} ms`
  }
}

/** The way to the server failed: no such host, a reset, TLS. */
export class Unreachable extends Schema.TaggedError<Unreachable>()("Unreachable", { detail: Schema.String }) {
  override get message() {
    return `unreachable: ${this.detail}`
  }
}

/** The address or the headers are none; no attempt was made. */
export class Malformed extends Schema.TaggedError<Malformed>()("Malformed", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

export const Reason = Schema.Union([Refused, Unauthorised, Rejected, TimedOut, Unreachable, Malformed])
export type Reason = typeof Reason.Type

export class DialError extends Schema.TaggedError<DialError>()("DialError", {
  address: Schema.String,
  reason: Reason
}) {
  override get message() {
    return `${this.address}: ${this.reason.message}`
  }
}

/** Why a dialling failed; undefined when it succeeded and the connection ended later. */
export const dialErrorOf = ({ reason }: Socket.SocketError): DialError | undefined =>
  reason._tag === "SocketOpenError" && reason.cause instanceof DialError ? reason.cause : undefined

export interface Options {
  /** Sent with the upgrade, and nowhere else. */
  readonly headers: Readonly<Record<string, string>>
}

export class Dial extends Context.Service<
  Dial,
  {
    /** `address` is a `ws:` or `wss:` URL. */
    readonly dial: (address: string, options: Options) => Effect.Effect<Socket.Socket>
  }
>()("stormglass/core/ports/Dial") {}

export const dial = (address: string, options: Options): Effect.Effect<Socket.Socket, never, Dial> =>
  Effect.flatMap(Dial, (service) => service.dial(address, options))

/** What a refusal of the upgrade by this status, and with this Retry-After, means; of one that is no number of seconds nothing is kept. */
export const refusalOf = (status: number, retryAfter?: unknown): Reason => {
  if (status === 401 || status === 403) return new Unauthorised({ status })
  const isSeconds = typeof retryAfter === "string" && /^\d{1,6}$/.test(retryAfter)
  return new Rejected({ status, ...(isSeconds ? { retryAfterSeconds: Number(retryAfter) } : {}) })
}

/** The URL of an address, or what is wrong with it. */
export const parseAddress = (address: string): URL | Malformed => {
  const url = URL.parse(address)
  if (url === null) return new Malformed({ detail: "is no URL; write ws://host:port/path" })
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    return new Malformed({ detail: `has the scheme ${url.protocol} instead of ws: or wss:` })
  }
  if (url.hash !== "")
    return new Malformed({ detail: `has a fragment (${url.hash}), which a WebSocket has no use for` })
  return url
}
