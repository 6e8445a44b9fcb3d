/** The API, described: for programs at `/openapi.json`, for people at `/docs`, both of one document and with nothing from elsewhere. */
import * as Effect from "effect/Effect"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import { DescribedApi, documentText } from "../../../core/api/openApi.ts"

/** Some of these the page knows, and the type of the library does not. */
const scalar = {
  authentication: { preferredSecurityScheme: "bearer" },
  // What would be asked of hosts elsewhere, or sent to them.
  withDefaultFonts: false,
  telemetry: false,
  showDeveloperTools: "never",
  hideClientButton: true
} satisfies HttpApiScalar.ScalarConfig & Readonly<Record<string, unknown>>

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter> = Layer.merge(
  HttpApiScalar.layer(DescribedApi, { path: "/docs", scalar }),
  HttpRouter.add(
    "GET",
    "/openapi.json",
    Effect.succeed(HttpServerResponse.text(documentText, { contentType: "application/json" }))
  )
)
