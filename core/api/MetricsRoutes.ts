/** What this node counts, as Prometheus reads it; for whoever may read everything, as the names of fleets are in it. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import { Gate } from "../identity/Gate.ts"
import { guarded } from "./Authorized.ts"

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | Gate> = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    const gate = yield* Gate
    const text = Effect.map(PrometheusMetrics.format(), (body) =>
      HttpServerResponse.text(body, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
    )
    yield* router.add(
      "GET",
      "/metrics",
      guarded(gate, { verb: "read", of: "cluster" }, () => text)
    )
  })
)
