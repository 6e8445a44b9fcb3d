/**
 * Facts as a fixed-column timeline: virtual time, node, what happened; one line each.
 *
 *     12.504 s  database  commit     lease/acquire  leases/leader (holder n1/1→n2/1, epoch 3→4)
 */
import type { Committed, Envelope, RowChange } from "../core/facts/Envelope.ts"
import { epochMicros } from "../sim/kernel/NodeClock.ts"

/** Facts that matter only to those who look for them. */
const fine: ReadonlyArray<string> = [
  "TimerSet",
  "Sent",
  "Delivered",
  "SpanStarted",
  "SpanEnded",
  "SessionOpened",
  "SessionClosed",
  "LeasesAsked",
  "LeasesTold"
]

export const isFine = (envelope: Envelope): boolean => fine.includes(envelope.fact._tag)

export const line = (envelope: Envelope): string => {
  const time = (envelope.atMicros / 1_000_000).toFixed(3).padStart(9)
  const node = (envelope.node === "" ? "·" : envelope.node).padEnd(10)
  const [verb, rest] = describe(envelope)
  return `${time} s  ${node}${verb.padEnd(11)} ${rest}`.trimEnd()
}

function clockText({ wallMicros, rate, jumpMicros }: Fields): string {
  const jump = Number(jumpMicros) === 0 ? "" : `  jumped ${Number(jumpMicros) / 1_000} ms`
  return `${new Date(Number(wallMicros) / 1_000).toISOString()}  rate ${String(rate)}${jump}`
}

type Fields = Readonly<Record<string, unknown>>

function describe({ fact }: Envelope): readonly [verb: string, rest: string] {
  const fields = fact as unknown as Fields
  switch (fact._tag) {
    case "Committed": {
      const { label, changes, fences } = fact as Committed
      const rows = changes.slice(0, 3).map((change) => rowText(change, changes.length === 1))
      const more = changes.length > 3 ? ` +${changes.length - 3}` : ""
      const fenced =
        fences.length === 0 ? "" : `  fenced ${fences.map(({ epoch, lease }) => `${lease}@${epoch}`).join(" ")}`
      return ["commit", `${label}  ${rows.join(" ")}${more}${fenced}`]
    }
    case "FaultActed":
      return [
        "FAULT",
        `${fields["name"]} on ${list(fields["targets"])}${fields["others"] ? ` ${list(fields["others"])}` : ""}`
      ]
    case "FaultUndone":
      return ["fault over", String(fields["name"])]
    case "FaultEffect":
      return ["struck", String(fields["fault"])]
    case "NodeStarted":
    case "NodeStopping":
    case "NodePaused":
    case "NodeResumed":
      return [fact._tag.slice(4).toLowerCase(), ""]
    case "NodeCrashed":
      return ["crashed", String(fields["reason"])]
    case "ClockSet":
      return ["clock", `reads ${clockText(fields)}`]
    case "NodeExited":
      return ["exited", [String(fields["outcome"]), ...(fields["errors"] as ReadonlyArray<string>)].join("  ")]
    case "Sent":
      return ["send", `to ${fields["to"]}  ${what(fields)}`]
    case "Delivered":
      return ["receive", `from ${fields["from"]}  ${what(fields)}`]
    case "Logged":
      return [
        "log",
        [`${fields["level"]}: ${fields["message"]}`, ...String(fields["cause"] ?? "").split("\n", 1)]
          .filter(Boolean)
          .join(": ")
      ]
    case "ActingAs": {
      const grants = fields["grants"] as ReadonlyArray<{ readonly lease: string; readonly epoch: number }>
      const named = grants.slice(0, 2).map(({ epoch, lease }) => `${lease}@${epoch}`)
      const millis = Math.round(Number(fields["remainingMicros"]) / 1_000)
      return ["acts as", `${named.join(" ")}${grants.length > 2 ? ` +${grants.length - 2}` : ""} for ${millis} ms`]
    }
    default:
      return [fact._tag, compact(fields)]
  }
}

const columnsMax = 4

/** A row that changed alone is shown with what became of its columns. */
function rowText({ after, before, key, table }: RowChange, isAlone: boolean): string {
  const row = `${table}/${key}`
  if (!isAlone || after === null) return after === null ? `${row} (deleted)` : row
  const changed = Object.keys(after).filter((column) => isPlain(after[column]) && before?.[column] !== after[column])
  // Of a new row its phase says most.
  const told = before === null ? changed.filter((column) => column === "state") : changed
  if (told.length === 0) return row
  const times = told.filter((column) => isMoment(after[column]))
  const columns = [...told.filter((column) => !times.includes(column)), ...times].slice(0, columnsMax)
  const text = (column: string) =>
    before === null
      ? `${column} ${valueText(after[column])}`
      : `${column} ${valueText(before[column])}→${valueText(after[column])}`
  return `${row} (${columns.map(text).join(", ")})`
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value !== "object"
}

/** A time of the world's clock, in microseconds: nothing else is so large. */
function isMoment(value: unknown): value is number {
  return typeof value === "number" && value >= epochMicros - 86_400_000_000
}

/** Times as the timeline has them: of the run. */
export const valueText = (value: unknown): string => {
  if (value === null || value === undefined) return "-"
  if (isMoment(value)) return `${((value - epochMicros) / 1_000_000).toFixed(3)}s`
  return String(value).slice(0, 40)
}

function what(fields: Fields): string {
  return String(fields["http"] ?? fields["storage"] ?? `${fields["bytes"] ?? ""} bytes`)
}

function list(value: unknown): string {
  if (!Array.isArray(value)) return String(value)
  return value.length > 4 ? `${value.length} hosts` : value.join(", ")
}

function compact(fields: Fields): string {
  return Object.entries(fields)
    .filter(([name]) => name !== "_tag")
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(" ")
    .slice(0, 160)
}
