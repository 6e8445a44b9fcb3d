/**
 * One screen for a failure: what broke, the evidence, the faults that struck, the last events, and the line that replays it.
 */
import type { Envelope } from "../core/facts/Envelope.ts"
import type { RunResult, Verdict, Waiting } from "../sim/run/Verdict.ts"
import type { FaultNeed } from "../sim/shrink/Necessity.ts"
import type { Size } from "../sim/shrink/Shrinker.ts"
import * as Explanation from "./Explanation.ts"
import * as Struck from "./Struck.ts"
import * as Timeline from "./Timeline.ts"

export interface ScreenOptions {
  readonly result: RunResult
  readonly facts: ReadonlyArray<Envelope>
  /** "npx stormglass replay …" */
  readonly replay: string
  readonly file: string | undefined
  /** How the case became small, and what it needs; without it, the faults that struck and the last events are shown. */
  readonly explained?: Explained
  readonly paint: (style: "bold" | "red" | "dim", text: string) => string
}

export interface Explained {
  readonly before: Size
  readonly after: Size
  readonly runs: number
  readonly seconds: number
  readonly isFinished: boolean
  /** Undefined when the time was over before it was known. */
  readonly needs: ReadonlyArray<FaultNeed> | undefined
  /** The line that replays the failure as it was found. */
  readonly origin: string
}

const eventsMax = 14
const waitingMax = 12
const namesMax = 2
const widthMax = 150
const evidenceMax = 200

export const render = ({ explained, facts, file, paint, replay, result }: ScreenOptions): string => {
  const { request, verdict } = result
  const lines = [
    paint("red", `✗ ${request.scenario}, seed ${request.seed}: ${headline(verdict)}`),
    ...detail(verdict).map((text) => `  ${text}`),
    ...(facts.length === 0
      ? ["", paint("dim", "It gave no facts: nothing is known of its faults and events")]
      : isByItself(verdict, explained)
        ? []
        : explained === undefined
          ? asFound(facts, verdict, paint)
          : asExplained(result, facts, explained, paint)),
    "",
    paint("bold", "Again, exactly"),
    `  ${replay}`,
    ...(explained === undefined || explained.origin === replay
      ? []
      : [paint("dim", `  ${explained.origin}  (as it was found)`)]),
    ...(file === undefined ? [] : [paint("dim", `  saved as ${file}`)])
  ]
  return lines.join("\n")
}

/** Where a program leaves the simulation says all, unless it takes faults to get there. */
function isByItself(verdict: Verdict, explained: Explained | undefined): boolean {
  return verdict._tag === "escaped" && (explained?.needs?.length ?? 0) === 0
}

function asFound(
  facts: ReadonlyArray<Envelope>,
  verdict: Verdict,
  paint: ScreenOptions["paint"]
): ReadonlyArray<string> {
  return [
    "",
    paint("bold", "Faults that struck"),
    ...Struck.lines(facts, lastOf(verdict)).map((text) => `  ${text}`),
    "",
    paint("bold", "The last events"),
    ...lastEvents(facts, verdict).map((envelope) => `  ${Timeline.line(envelope)}`.slice(0, widthMax))
  ]
}

function asExplained(
  result: RunResult,
  facts: ReadonlyArray<Envelope>,
  { after, before, isFinished, needs, runs, seconds }: Explained,
  paint: ScreenOptions["paint"]
): ReadonlyArray<string> {
  const took = `${runs} runs, ${seconds.toFixed(1)} s${isFinished ? "" : ", and not at its end"}`
  return [
    "",
    `${paint("bold", "What it takes")}  ${paint("dim", `${Explanation.smaller(before, after)} (${took})`)}`,
    ...Explanation.needs(result, needs, before).map((text) => `  ${text}`),
    "",
    paint("bold", "How it came about"),
    ...Explanation.story(facts, result.verdict).map((text) => `  ${text}`.slice(0, widthMax))
  ]
}

/** The verdict in one line. */
export const headline = (verdict: Verdict): string => {
  switch (verdict._tag) {
    case "passed":
      return "passed"
    case "violated":
      return `${verdict.invariant}: ${verdict.message}`
    case "stalled":
      return `stalled: ${verdict.reason}`
    case "crashed":
      return `${verdict.node} crashed: ${verdict.cause.split("\n")[0]}`
    case "escaped":
      return `escaped: ${verdict.api} is of the host; ${verdict.remedy}`
  }
}

function detail(verdict: Verdict): ReadonlyArray<string> {
  switch (verdict._tag) {
    case "passed":
      return []
    case "violated":
      return [
        `at ${(verdict.atMicros / 1_000_000).toFixed(3)} s, fact ${verdict.factId}`,
        ...Object.entries(differing(verdict.evidence)).map(([name, value]) =>
          evidenceText(name, value).slice(0, evidenceMax)
        )
      ]
    case "stalled": {
      const all = waits(verdict.waiting)
      return all.length <= waitingMax ? all : [...all.slice(0, waitingMax), `… and ${all.length - waitingMax} more`]
    }
    case "crashed":
      return verdict.cause.split("\n").slice(1, 6)
    case "escaped":
      return verdict.stack.split("\n").slice(0, 6)
  }
}

function evidenceText(name: string, value: unknown): string {
  return `${name}: ${JSON.stringify(value)}`
}

/** Of a row as it was and as it became, where they are too long, only what differs: that would be cut off. */
function differing(evidence: Violated["evidence"]): Violated["evidence"] {
  const { after, before } = evidence
  if (!isRow(before) || !isRow(after)) return evidence
  if (evidenceText("before", before).length <= evidenceMax && evidenceText("after", after).length <= evidenceMax) {
    return evidence
  }
  const isChanged = (column: string) => JSON.stringify(before[column]) !== JSON.stringify(after[column])
  const changed = (row: Row) => Object.fromEntries(Object.entries(row).filter(([column]) => isChanged(column)))
  return { ...evidence, before: changed(before), after: changed(after) }
}

type Violated = Extract<Verdict, { readonly _tag: "violated" }>
type Row = Readonly<Record<string, unknown>>

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** One line for all fibers of a node that wait for the same; the first has waited longest. */
function waits(waiting: ReadonlyArray<Waiting>): ReadonlyArray<string> {
  const groups = new Map<string, Array<Waiting>>()
  for (const one of waiting) {
    const key = `${one.node} ${one.waitsFor}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return [...groups.values()].map((group) => {
    const { node, sinceMicros, waitsFor } = group[0] as Waiting
    const names = [...new Set(group.map(({ fiber }) => fiber))]
    const others = group.length - Math.min(names.length, namesMax)
    const who = names.slice(0, namesMax).join(", ") + (others > 0 ? ` and ${others} more` : "")
    const wait = group.length === 1 ? "waits" : "wait"
    return `${node}: ${who} ${wait} for ${waitsFor} since ${(sinceMicros / 1_000_000).toFixed(3)} s`
  })
}

function lastEvents(facts: ReadonlyArray<Envelope>, verdict: Verdict): ReadonlyArray<Envelope> {
  return facts
    .filter(
      (envelope) => envelope.id <= lastOf(verdict) && !Timeline.isFine(envelope) && envelope.fact._tag !== "FaultEffect"
    )
    .slice(-eventsMax)
}

/** The fact that a violation was found at; what comes after it explains nothing. */
function lastOf(verdict: Verdict): number {
  return verdict._tag === "violated" ? verdict.factId : Infinity
}
