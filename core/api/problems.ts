/**
 * The one place where a refusal becomes a response: `application/problem+json`, whoever refuses. Middleware of the whole server gives a
 * problem document to whatever is refused before an endpoint is asked: an unknown path, a body that is too large or cannot be read, a
 * defect.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { httpBodyBytesMax } from "../Limits.ts"
import type { FeedError } from "../ports/Feed.ts"
import type { StorageError } from "../ports/Storage.ts"
import {
  ApiError,
  BadRequest,
  Compacted,
  kinds,
  NotFound,
  Panicked,
  PayloadTooLarge,
  Unavailable,
  UnsupportedMediaType
} from "./ApiErrors.ts"

const contentType = "application/problem+json"

const encode = Schema.encodeSync(ApiError)

export const isApiError = (error: unknown): error is ApiError => kinds.some((kind) => error instanceof kind)

/** As it is stored, and sent. */
export const refused = (error: ApiError): Answer => {
  const { _tag, detail, status, title, type, ...more } = encode(error)
  return { status: error.status, body: JSON.stringify({ type, title, status, detail, _tag, ...more }) }
}

export const refusal = (error: ApiError): HttpServerResponse.HttpServerResponse =>
  sent(refused(error), headersOf(error))

/** An answer as it was stored; one of 400 and more is a problem document. */
export const sent = (
  { body, status }: Answer,
  headers: Readonly<Record<string, string>> = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(body, { status, contentType: status < 400 ? "application/json" : contentType, headers })

function headersOf(error: ApiError): Readonly<Record<string, string>> {
  if ("retryAfterSeconds" in error) return { "retry-after": String(error.retryAfterSeconds) }
  if (error._tag === "MethodNotAllowed") return { allow: error.allowed.join(", ") }
  if (error._tag === "Unauthenticated") return { "www-authenticate": "Bearer" }
  if (error._tag === "UpgradeRequired") return { upgrade: "websocket" }
  // What is left of the body is not read.
  return error._tag === "PayloadTooLarge" ? { connection: "close" } : {}
}

/** The store did not answer. */
export const unavailable = ({ message }: StorageError): Unavailable =>
  new Unavailable({ detail: message, retryAfterSeconds: 1 })

/** The change feed has not what is asked for, or did not answer. */
export const notFollowed = ({ reason }: FeedError): Effect.Effect<never, Compacted | Unavailable> =>
  Effect.fail(
    reason._tag === "Compacted" || reason._tag === "ForeignCursor"
      ? new Compacted({ detail: reason.message })
      : new Unavailable({ detail: reason.message, retryAfterSeconds: 1 })
  )

/** Who goes away is told nothing, and who is told something else than a bare status keeps it. */
export const problemsOnly = <E, R>(
  handled: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  handled.pipe(
    Effect.catchCause((cause) =>
      Cause.hasInterrupts(cause)
        ? Effect.failCause(cause)
        : Effect.map(HttpServerError.causeResponse(cause), ([response]) => response)
    ),
    Effect.flatMap((response) =>
      response.status < 400 || isDocument(response)
        ? Effect.succeed(response)
        : Effect.map(HttpServerRequest.HttpServerRequest, (request) => refusal(ofStatus(response.status, request)))
    )
  )

const isDocument = ({ body }: HttpServerResponse.HttpServerResponse): boolean =>
  body._tag !== "Empty" && body.contentType?.startsWith("text/plain") !== true

function ofStatus(status: number, { headers, method, url }: HttpServerRequest.HttpServerRequest): ApiError {
  switch (status) {
    case 404:
      return new NotFound({ detail: `there is nothing to ${method} at ${url.split("?")[0]}` })
    case 413:
      return new PayloadTooLarge({
        detail: `a body may have at most ${httpBodyBytesMax} bytes`,
        bytesMax: httpBodyBytesMax
      })
    case 415:
      return new UnsupportedMediaType({
        detail: `${headers["content-type"] ?? "a body without a type"} is not read here: send application/json`
      })
    case 503:
      return new Unavailable({ detail: "this node does not answer just now", retryAfterSeconds: 1 })
    default:
      return status < 500
        ? new BadRequest({ detail: `the request cannot be read (${status})` })
        : new Panicked({ detail: "this node failed to answer, and has told whoever looks after it" })
  }
}
