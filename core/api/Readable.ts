/**
 * Middleware of every endpoint: a request that is not what the endpoint takes is refused as `BadRequest`, in one line that says
 * where and what.
 */
import * as Effect from "effect/Effect"
import * as SchemaIssue from "effect/SchemaIssue"
import type { HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import { BadRequest } from "./ApiErrors.ts"

export class Readable extends HttpApiMiddleware.Service<Readable>()("stormglass/core/api/Readable", {
  error: BadRequest
}) {}

/** An answer that is not what the endpoint gives is a defect, and stays one. */
export const layer = HttpApiMiddleware.layerSchemaErrorTransform(Readable, (error) => {
  const place = places[error.kind]
  return Effect.fail(place === undefined ? error : new BadRequest({ message: messageOf(place, error) }))
})

const places: Readonly<Record<HttpApiSchemaError["kind"], string | undefined>> = {
  Params: "path",
  Headers: "headers",
  Query: "query",
  Payload: "body",
  Body: undefined,
  ResponseHeaders: undefined
}

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Whoever sent much that is wrong need not be told all of it. */
const messageCharsMax = 300

function messageOf(place: string, { cause }: HttpApiSchemaError): string {
  const [first] = issuesOf(cause.issue).issues
  const path = (first?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part))
  const what = (first?.message ?? cause.message).replaceAll(/\s+/g, " ")
  return `${[place, ...path].join(".")}: ${what}`.slice(0, messageCharsMax).toWellFormed()
}
