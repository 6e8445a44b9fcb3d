/**
 * Innermost middleware of every endpoint: a body that is no UTF-8 is refused. A decoder that is lenient would put other characters in the
 * place of those that were sent, and they would be stored.
 */
import * as Effect from "effect/Effect"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import { BadRequest } from "./ApiErrors.ts"

export class WellFormed extends HttpApiMiddleware.Service<WellFormed>()("stormglass/core/api/WellFormed", {
  error: BadRequest
}) {}

/** What stands where bytes were no character, and may also have been sent. */
const replacement = "\uFFFD"

/** Whatever else is wrong with reading it is answered when the endpoint reads it. */
export const layer = Layer.succeed(WellFormed, (handled, { endpoint }) => {
  if (endpoint.payload.size === 0) return handled
  const checked = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (!(yield* Effect.orDie(request.text)).includes(replacement)) return
    if (!isUtf8(yield* Effect.orDie(request.arrayBuffer))) return yield* new BadRequest({ detail: "payload: no UTF-8" })
  })
  return Effect.andThen(checked, handled)
})

function isUtf8(bytes: ArrayBuffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}
