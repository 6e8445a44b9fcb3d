/**
 * Traces and logs to an OpenTelemetry collector (OTLP over HTTP, JSON). Off unless an endpoint is given. What was not yet sent goes
 * when the scope ends.
 *
 * - T1 A collector that is gone, slow or silent costs what waits for it and nothing else: a batch is given up after a few
 *   attempts, each of bounded length, and for a minute after that nothing is kept.
 * - T2 Neither headers of requests nor values of statements are in a span: nobody's secret travels.
 */
import * as Duration from "effect/Duration"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as Layer from "effect/Layer"
import * as OtlpExporter from "effect/observability/OtlpExporter"
import * as OtlpLogger from "effect/observability/OtlpLogger"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import * as Redacted from "effect/Redacted"
import * as Tracer from "effect/Tracer"
import { Traced } from "../../core/facts/Traced.ts"

export interface TelemetrySettings {
  /** "http://collector:4318", to which /v1/traces and /v1/logs are added. Undefined: nothing is sent. */
  readonly endpoint: string | undefined
  /** Of every request to the collector; they may let somebody in. */
  readonly headers: Readonly<Record<string, Redacted.Redacted>>
  /** `service.name`: "stormglass". */
  readonly service: string
  /** `service.instance.id`: "n1". */
  readonly instance: string
  readonly version: string
  /** How long what is left is waited for at the end, in ms. Default 2 s. */
  readonly shutdownMillis?: number
}

const requestTimeoutMillis = 5_000
const shutdownMillisDefault = 2_000

/** Provides it to a whole process. */
export const layer = (settings: TelemetrySettings): Layer.Layer<never> =>
  Layer.mergeAll(
    Layer.succeed(Traced, (name, attributes, work) => Effect.withSpan(work, name, { root: true, attributes })),
    Layer.succeed(HttpMiddleware.TracerHeaderFilter, () => false),
    Layer.succeed(HttpClient.TracerHeaderFilter, () => false),
    settings.endpoint === undefined ? Layer.empty : exporting(settings, settings.endpoint)
  )

function exporting(settings: TelemetrySettings, endpoint: string): Layer.Layer<never> {
  const { headers, instance, service, shutdownMillis = shutdownMillisDefault, version } = settings
  const common = {
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Redacted.value(value)])),
    resource: {
      serviceName: service,
      serviceVersion: version,
      attributes: { "service.instance.id": instance }
    },
    shutdownTimeout: Duration.millis(shutdownMillis)
  }
  const tracer = Layer.effect(
    Tracer.Tracer,
    Effect.map(OtlpTracer.make({ ...common, url: `${endpoint}/v1/traces` }), withoutLooseStatements)
  )
  const logger = OtlpLogger.layer({ ...common, url: `${endpoint}/v1/logs` })
  return Layer.merge(tracer, logger).pipe(
    Layer.provide([OtlpExporter.layerFlusher, OtlpSerialization.layerJson, bounded(endpoint)]),
    // Everything that it would look for in the environment is a setting of ours, checked and shown as such.
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: {} })))
  )
}

/** A statement outside any trace is a poll or a renewal; there are some every second, for ever. */
function withoutLooseStatements(inner: Tracer.Tracer): Tracer.Tracer {
  return Tracer.make({
    span: (options) =>
      inner.span(options.kind === "client" && options.parent._tag === "None" ? { ...options, sampled: false } : options)
  })
}

/** Says once that the collector does not answer, and once that it does again. */
function bounded(endpoint: string): Layer.Layer<HttpClient.HttpClient> {
  return Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (client) => {
      let isReached = true
      const turned = (to: boolean, said: Effect.Effect<void>) =>
        Effect.suspend(() => {
          if (isReached === to) return Effect.void
          isReached = to
          return said
        })
      return HttpClient.transform(client, (sent, request) =>
        sent.pipe(
          Effect.timeoutOrElse({
            duration: Duration.millis(requestTimeoutMillis),
            orElse: () =>
              Effect.fail(
                new HttpClientError.HttpClientError({
                  reason: new HttpClientError.TransportError({ request, description: "no answer in time" })
                })
              )
          }),
          Effect.tap(() => turned(true, Effect.logInfo(`telemetry: ${endpoint} answers again`))),
          Effect.tapError(() =>
            turned(false, Effect.logWarning(`telemetry: ${endpoint} does not answer; going on without`))
          )
        )
      )
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))
}
