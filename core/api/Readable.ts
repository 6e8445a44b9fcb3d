/**
 * Middleware of every endpoint: a request that is not what the endpoint takes is refused as `BadRequest`, with all that is wrong with it,
 * and where; and every refusal leaves by `core/api/problems.ts`.
 */
import * as Effect from "effect/Effect"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import { fieldProblems } from "../json/fieldProblems.ts"
import { BadRequest, PayloadTooLarge, UnsupportedMediaType } from "./ApiErrors.ts"
import { isApiError, refusal } from "./problems.ts"

export class Readable extends HttpApiMiddleware.Service<Readable>()("stormglass/core/api/Readable", {
  error: [BadRequest, PayloadTooLarge, UnsupportedMediaType]
}) {}

/** An answer that is not what the endpoint gives is a defect, and stays one. */
export const layer = Layer.succeed(Readable, (handled, { endpoint }) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
    const isAskedForMore = endpoint.query === undefined && (url.split("?")[1] ?? "") !== ""
    if (isAskedForMore)
      return Effect.succeed(refusal(new BadRequest({ detail: "query: nothing is asked for by it here" })))
    return handled.pipe(
      Effect.catch((error) => {
        if (HttpApiError.HttpApiSchemaError.is(error)) {
          const place = places[error.kind]
          return place === undefined ? Effect.fail(error) : Effect.succeed(refusal(unreadable(place, error)))
        }
        return isApiError(error) ? Effect.succeed(refusal(error)) : Effect.fail(error)
      })
    )
  })
)

const places: Readonly<Record<HttpApiError.HttpApiSchemaError["kind"], string | undefined>> = {
  Params: "path",
  Headers: "headers",
  Query: "query",
  Payload: "payload",
  Body: undefined,
  ResponseHeaders: undefined
}

/** Whoever sent much that is wrong need not be told all of it. */
const errorsMax = 100
const messageCharsMax = 300

function unreadable(place: string, { cause }: HttpApiError.HttpApiSchemaError): BadRequest {
  const problems = fieldProblems(cause)
  const errors = problems
    .slice(0, errorsMax)
    .map(({ message, path }) => ({ path: cut([place, ...path].join(".")), message: cut(message) }))
  const [first] = errors
  const said =
    first === undefined ? `${place}: ${cause.message.replaceAll(/\s+/g, " ")}` : `${first.path}: ${first.message}`
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ""
  return new BadRequest({ detail: cut(said, messageCharsMax - more.length) + more, errors })
}

const cut = (text: string, charsMax = messageCharsMax): string => text.slice(0, charsMax).toWellFormed()
