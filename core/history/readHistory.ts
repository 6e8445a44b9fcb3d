/**
 * Histories as people have them, line by line.
 *
 * - `ndjson`, our own: `{"process":0,"type":"invoke","f":"write","key":"x","value":1,"time":12}` on each line. `type` is `invoke`, `ok`,
 *   `fail` or `info`; `key`, `value`, `error` and `time` may be left out.
 * - `edn`: maps with the same members, as Jepsen writes them (`{:process 0, :type :invoke, :f :read, :value nil}`), one after the other or in
 *   one vector. Porcupine's key-value logs are of this kind.
 * - `log`: lines of Jepsen's log, `INFO jepsen.util - 0 :invoke :read nil`, with or without what stands before the process. Porcupine's
 *   etcd logs are of this kind.
 *
 * What `nemesis` did is left out: it is not a client.
 */
import { depthMax, type HistoryRecord, type RecordType, recordTypes, Unreadable } from "./HistoryRecord.ts"
import { parseEdn } from "./parseEdn.ts"
import { showValue, type Value } from "./Value.ts"

export const historyFormats = ["ndjson", "edn", "log"] as const
export type HistoryFormat = (typeof historyFormats)[number]

/** By its first line that says something. */
export const formatOf = (text: string): HistoryFormat | undefined => {
  const first = /^\s*(?:;.*\s*)*(.*)/.exec(text)?.[1] ?? ""
  if (/^\{\s*"/.test(first)) return "ndjson"
  if (/^[[({#]/.test(first)) return "edn"
  return logLine.test(first) ? "log" : undefined
}

/** Throws `Unreadable`. */
export const readHistory = (
  text: string,
  format: HistoryFormat | undefined = formatOf(text)
): ReadonlyArray<HistoryRecord> => {
  if (text.trim() === "") throw new Unreadable(1, "there is nothing in it")
  if (format === undefined) {
    throw new Unreadable(
      1,
      "neither JSON, nor a map of EDN, nor a line such as `INFO jepsen.util - 0 :invoke :read nil`"
    )
  }
  // Some editors begin a file with a mark of its byte order.
  const bare = text.replace(/^\uFEFF/, "")
  const records = format === "ndjson" ? readNdjson(bare) : format === "edn" ? readEdn(bare) : readLog(bare)
  const ofClients = records.filter(({ process }) => process !== "nemesis")
  if (ofClients.length === 0) throw new Unreadable(1, "nothing in it is of a client")
  return ofClients
}

const logLine = /^(?:.*\s-\s+)?:?(\w+)\s+:(\w+)\s+:([\w-]+)(?:\s+(.*))?$/

function readNdjson(text: string): ReadonlyArray<HistoryRecord> {
  const lines = text.split("\n")
  return lines.flatMap((line, at) => {
    if (line.trim() === "") return []
    try {
      const form = JSON.parse(line) as Value
      requireShallow(at + 1, form, 0)
      return [recordOf(at + 1, form)]
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      const isCut = at === lines.length - 1 && line.trimStart().startsWith("{")
      throw new Unreadable(at + 1, isCut ? "cut off in the middle of the line" : `no JSON: ${error.message}`)
    }
  })
}

function requireShallow(line: number, value: Value, depth: number): void {
  if (depth === depthMax) throw new Unreadable(line, `more than ${depthMax} values inside each other`)
  if (typeof value !== "object" || value === null) return
  for (const inner of Object.values<Value>(value)) requireShallow(line, inner, depth + 1)
}

function readEdn(text: string): ReadonlyArray<HistoryRecord> {
  return parseEdn(text).map(({ line, value }) => recordOf(line, value))
}

function readLog(text: string): ReadonlyArray<HistoryRecord> {
  return text.split("\n").flatMap((line, at) => {
    if (line.trim() === "") return []
    const found = logLine.exec(line.trimEnd())
    if (found === null)
      throw new Unreadable(at + 1, `not of the form \`process :type :operation value\`: ${line.slice(0, 60)}`)
    const [, process, type, f, rest = "nil"] = found
    const forms = parseLine(rest, at + 1)
    if (forms.length !== 1)
      throw new Unreadable(at + 1, `${forms.length} values where one should be: ${rest.slice(0, 60)}`)
    // What did not end says there why: `:timed-out`.
    const isReason = type !== "invoke" && type !== "ok" && rest.startsWith(":")
    const value = forms[0]!
    return [recordOf(at + 1, { process: process!, type: type!, f: f!, ...(isReason ? { error: value } : { value }) })]
  })
}

function parseLine(text: string, line: number): ReadonlyArray<Value> {
  try {
    // So that a vector is a value, and not what is around the values.
    return (parseEdn(`[${text}]`) as ReadonlyArray<{ readonly value: Value }>).map(({ value }) => value)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    throw new Unreadable(line, error.message.replace(/^line \d+: /, ""))
  }
}

function recordOf(line: number, form: Value): HistoryRecord {
  if (typeof form !== "object" || form === null || Array.isArray(form)) {
    throw new Unreadable(line, `${showValue(form)} where a map with process, type and f should be`)
  }
  const map = form as Readonly<Record<string, Value | undefined>>
  const { error, f, key, process, time, type, value } = map
  const missing = ["process", "type", "f"].filter((member) => map[member] === undefined || map[member] === null)
  if (missing.length > 0) throw new Unreadable(line, `without ${missing.join(", ")}`)
  if (!recordTypes.some((known) => known === type)) {
    throw new Unreadable(line, `type ${showValue(type!)}; there are ${recordTypes.join(", ")}`)
  }
  if (time !== undefined && time !== null && typeof time !== "number") {
    throw new Unreadable(line, `time ${showValue(time)} is no number`)
  }
  return {
    line,
    process: nameOf(process!),
    type: type as RecordType,
    f: nameOf(f!),
    key: key === undefined || key === null ? "" : nameOf(key),
    value: value ?? null,
    ...(error === undefined || error === null ? {} : { error: nameOf(error) }),
    ...(typeof time === "number" ? { time } : {})
  }
}

function nameOf(value: Value): string {
  return typeof value === "string" ? value : showValue(value)
}
