/** What a process of the control plane says while it runs: its log, and what it sends to a collector. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import { versions } from "../../../reports/saveFailure.ts"
import type { NodeExit } from "../../../core/ports/NodeExit.ts"
import * as Logging from "../../node/Logging.ts"
import * as ProcessExit from "../../node/ProcessExit.ts"
import * as Telemetry from "../../node/Telemetry.ts"
import type { Values } from "../config/Setting.ts"
import type { agentSettings } from "../config/settings.ts"

type Observing = Pick<
  Values<typeof agentSettings>,
  "id" | "logFormat" | "logLevel" | "otlpEndpoint" | "otlpHeaders" | "serviceName"
>

/** How a process says why it ends itself. */
export const exiting = ({ id, ...settings }: Pick<Observing, "id" | "logFormat">): Layer.Layer<NodeExit> => {
  const format = formatOf(settings)
  if (format === "pretty") return ProcessExit.layer
  const record = { level: "Fatal", cause: "", trace: undefined, attributes: { node: id } } as const
  return ProcessExit.layerSaying((message) => Logging.logLine(format, { ...record, date: new Date(), message }))
}

/** Within it everything is logged and traced as the settings say; what is left goes out when it ends. */
export const observed = <A, E, R>(settings: Observing, program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  const { id, logLevel, otlpEndpoint, otlpHeaders, serviceName } = settings
  const level = (logLevel[0]!.toUpperCase() + logLevel.slice(1)) as LogLevel.LogLevel
  const telemetry = Telemetry.layer({
    endpoint: otlpEndpoint,
    headers: otlpHeaders,
    service: serviceName,
    instance: id,
    version: versions().stormglass
  })
  const format = formatOf(settings)
  return program.pipe(
    format === "json" ? Effect.annotateLogs({ node: id }) : (same) => same,
    Effect.provide(telemetry.pipe(Layer.provideMerge(Logging.layer(format)))),
    Effect.provideService(References.MinimumLogLevel, level)
  )
}

function formatOf({ logFormat }: Pick<Observing, "logFormat">): Logging.LogFormat {
  if (logFormat !== "auto") return logFormat
  return process.stderr.isTTY ? "pretty" : "json"
}
