/**
 * Middleware of the whole API: an answer 500 is a defect of this node, and is told. Whoever goes away, a node that shuts down and a
 * request that cannot be read have other answers.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { errorsOf } from "../facts/errorsOf.ts"
import * as Facts from "../facts/Facts.ts"
import type { RequestPanicked } from "./ApiFacts.ts"

export const tellPanics = <E, R>(
  handled: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<HttpServerResponse.HttpServerResponse, E, R | HttpServerRequest.HttpServerRequest> =>
  handled.pipe(
    Effect.tap(({ status }) => (status === 500 ? tell(Cause.empty) : Effect.void)),
    Effect.tapCause((cause) =>
      Effect.flatMap(HttpServerError.causeResponse(cause), ([{ status }]) => {
        if (status !== 500) return Effect.void
        // The answer that was made of the failure travels with it, and is not what failed.
        const [, failed] = HttpServerError.causeResponseStripped(cause)
        return tell(Option.getOrElse(failed, () => Cause.empty))
      })
    )
  )

const tell = (cause: Cause.Cause<unknown>) =>
  Effect.gen(function* () {
    const { method, url } = yield* HttpServerRequest.HttpServerRequest
    const [path = url] = url.split("?")
    yield* Effect.logError(`${method} ${path} panicked`, cause)
    yield* Facts.emit({ _tag: "RequestPanicked", method, path, errors: errorsOf(cause) } satisfies RequestPanicked)
  })
