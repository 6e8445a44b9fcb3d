/**
 * Logs on standard error: a line of JSON for each, or a line for people. What is logged within a trace says which (`trace_id`, as
 * OpenTelemetry names it in JSON).
 */
import { styleText } from "node:util"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import type * as LogLevel from "effect/LogLevel"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"

export type LogFormat = "json" | "pretty"

export interface LogRecord {
  readonly date: Date
  readonly level: LogLevel.LogLevel
  readonly message: string
  readonly attributes: Readonly<Record<string, unknown>>
  /** Empty where nothing failed. */
  readonly cause: string
  readonly trace: { readonly traceId: string; readonly spanId: string } | undefined
}

/** Without a newline at its end. A JSON line is one line, whatever is in it. */
export const logLine = (format: LogFormat, record: LogRecord): string =>
  format === "json" ? jsonLine(record) : prettyLine(record)

/** In place of whatever logger there was. */
export const layer = (format: LogFormat, write: (line: string) => void = writeLine): Layer.Layer<never> =>
  Logger.layer([
    Logger.make(({ cause, date, fiber, logLevel, message }) => {
      const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
      write(
        logLine(format, {
          date,
          level: logLevel,
          message: (Array.isArray(message) ? message : [message]).map(textOf).join(" "),
          attributes: fiber.getRef(References.CurrentLogAnnotations),
          cause: cause.reasons.length === 0 ? "" : Cause.pretty(cause),
          trace: span === undefined ? undefined : { traceId: span.traceId, spanId: span.spanId }
        })
      )
    })
  ])

function writeLine(line: string): void {
  process.stderr.write(`${line}\n`)
}

function jsonLine({ attributes, cause, date, level, message, trace }: LogRecord): string {
  return JSON.stringify({
    time: date.toISOString(),
    level: level.toUpperCase(),
    message,
    ...(trace === undefined ? {} : { trace_id: trace.traceId, span_id: trace.spanId }),
    ...(cause === "" ? {} : { cause }),
    ...(Object.keys(attributes).length === 0 ? {} : { attributes })
  })
}

function prettyLine({ attributes, cause, date, level, message, trace }: LogRecord): string {
  const time = date.toISOString().slice(11, 23)
  const mark = level === "Info" ? "" : `${level.toUpperCase()}  `
  const said = Object.entries({ ...attributes, ...(trace === undefined ? {} : { trace: trace.traceId }) })
  const tail = said.map(([name, value]) => `  ${name}=${textOf(value)}`).join("")
  const below = cause === "" ? "" : `\n${cause.replaceAll(/^/gm, "    ")}`
  const line = `${time}  ${mark}${message}${tail}${below}`
  const style = level === "Error" || level === "Fatal" ? "red" : level === "Warn" ? "yellow" : undefined
  return style === undefined ? line : styleText(style, line, { stream: process.stderr, validateStream: true })
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value)
}
