/**
 * Why a small case fails: the faults it needs and what becomes of it without them, and how one thing led to the other, from the fault to
 * the violation. Words and columns; decides nothing.
 */
import type { Envelope } from "../core/facts/Envelope.ts"
import { type Fault, fromMicros } from "../sim/nemesis/FaultPlan.ts"
import type { RunResult, Verdict } from "../sim/run/Verdict.ts"
import type { FaultNeed, Trial } from "../sim/shrink/Necessity.ts"
import type { Size } from "../sim/shrink/Shrinker.ts"
import * as Timeline from "./Timeline.ts"

/** "23 faults → 1, 93 operations → 1, 5 nodes → 3": what became less. */
export const smaller = (before: Size, after: Size): string => {
  const parts = [
    change(before.faults, after.faults, "faults"),
    change(before.operations, after.operations, "operations"),
    ...Object.keys(before.parameters).map((name) =>
      change(before.parameters[name] ?? 0, after.parameters[name] ?? 0, name)
    ),
    change(before.preemptions, after.preemptions, "preemptions")
  ]
  const shown = parts.filter((part) => part !== "")
  return shown.length === 0 ? "nothing could be taken away" : shown.join(", ")
}

function change(before: number, after: number, what: string): string {
  return before === after ? "" : `${before} ${what} → ${after}`
}

/** A fault in a line: "process/pause on n1 at 50s for 5s". */
export const faultText = ({ fault, for: lasts, name, target, when, ...rest }: Fault): string => {
  const between = rest.with === undefined ? "" : ` and ${rest.with}`
  const parameters = Object.entries(rest.parameters ?? {}).map(([key, value]) => `${key} ${value}`)
  const more = parameters.length === 0 ? "" : ` (${parameters.join(", ")})`
  const named = name === undefined || name === fault ? "" : `${name}: `
  return `${named}${fault} on ${target}${between}${more} ${whenText(when)}${lasts === undefined ? "" : ` for ${lasts}`}`
}

function whenText(when: Fault["when"]): string {
  if ("at" in when) return `at ${when.at}`
  if ("on" in when) return `at fact ${when.nth} of ${when.on.fact}`
  if ("struck" in when) return `when it comes to ${when.struck.join(", ")}`
  return `from ${when.from} until ${when.until}${when.rate === 1 ? "" : `, ${+(when.rate * 100).toPrecision(2)} % of the time`}`
}

/** What a small case consists of, and what each of its faults is needed for; of operations nothing where there never was one. */
export const needs = (
  small: RunResult,
  found: ReadonlyArray<FaultNeed> | undefined,
  before: Pick<Size, "operations">
): ReadonlyArray<string> => {
  const faults = small.plan?.faults ?? []
  const { deviations = [], operations } = small.request
  return [
    ...(faults.length === 0 && deviations.length === 0 ? ["no fault: it fails by itself"] : []),
    ...faults.flatMap((fault, entry) => [
      `${entry + 1}. ${faultText(fault)}`,
      ...needLines(found?.find((need) => need.entry === entry)).map((text) => `   ${text}`)
    ]),
    ...deviations.map(deviationText),
    ...(operations === undefined || before.operations === 0 ? [] : [operationsText(operations)])
  ]
}

/** "n1/2@12=1: another task of n1 goes first". */
function deviationText(name: string): string {
  const [, node, kind, stall] = /^(.+)\/\d+([@#])\d+(?:=\d+|\+(.+))?$/.exec(name) ?? []
  if (kind === "@") return `${name}: another task of ${node} goes first`
  return `${name}: a fiber of ${node} is preempted${stall === undefined ? "" : `, and off the processor for ${stall}`}`
}

function operationsText(operations: ReadonlyArray<string>): string {
  if (operations.length === 0) return "no operation of a client"
  return `${operations.length === 1 ? "operation" : "operations"} ${operations.join(", ")}`
}

const order = ["removed", "earlier", "later", "shorter", "elsewhere"] as const

function needLines(need: FaultNeed | undefined): ReadonlyArray<string> {
  if (need === undefined) return []
  return order.flatMap((which) => {
    const trials = need.trials.filter((trial) => trial.change === which)
    return trials.length === 0 ? [] : [`${which.padEnd(10)}${trialsText(need, which, trials)}`]
  })
}

function trialsText({ beginsMicros }: FaultNeed, which: Trial["change"], trials: ReadonlyArray<Trial>): string {
  if (which === "removed" || which === "elsewhere") {
    return trials.map((trial) => `${trial.detail === "" ? "" : `on ${trial.detail} `}${outcome(trial)}`).join(", ")
  }
  // Outwards: it goes on failing until it does not.
  const failing = trials.filter(({ effect }) => effect === "same").at(-1)
  const ending = trials.find(({ effect }) => effect !== "same")
  const edge =
    which === "shorter" || beginsMicros === undefined
      ? ""
      : ` (from ${fromMicros(which === "earlier" ? beginsMicros[0] : beginsMicros[1])})`
  const by = which === "shorter" ? "for" : "by"
  const still = failing === undefined ? [] : [`${by} ${failing.detail}${edge} still fails`]
  const gone = ending === undefined ? [] : [`${by} ${ending.detail} ${outcome(ending)}`]
  return [...still, ...gone].join(", ")
}

function outcome({ effect, instead }: Trial): string {
  switch (effect) {
    case "same":
      return "still fails"
    case "other":
      return `fails otherwise (${instead})`
    case "passed":
      return "passes"
    case "void":
      return "cannot be"
  }
}

const storyMax = 22
const chainMax = 10
const strikesMax = 2

/** What the accused node did last. */
const accusedMax = 6

/**
 * The events that matter, in order of time; those marked with an arrow caused each other, up to the violation. Besides, the faults,
 * what speaks of the things that the evidence, or the reason of a stall, names, and what the node that it names did last.
 */
export const story = (facts: ReadonlyArray<Envelope>, verdict: Verdict): ReadonlyArray<string> => {
  const last = verdict._tag === "violated" ? verdict.factId : (facts.at(-1)?.id ?? 0)
  const before = facts.filter(({ id }) => id <= last)
  const chain = verdict._tag === "violated" ? chainTo(before, last) : new Set<number>()
  const told = [...chain].toSorted((one, other) => one - other).slice(-chainMax)
  const faults = faultFacts(before)
  const left = storyMax - told.length - faults.length
  const subjects = subjectsOf(verdict)
  const spoken = subjects.length > 0 ? subjects : rarest(namedValuesOf(verdict), before)
  const isOpen = (envelope: Envelope) =>
    !Timeline.isFine(envelope) && !told.includes(envelope.id) && !faults.includes(envelope.id)
  const { kept, omitted } = thinned(before.filter((envelope) => isOpen(envelope) && speaksOf(envelope, spoken)))
  const mentions = kept.slice(-Math.max(0, left)).map(({ id }) => id)
  const accused = accusedOf(verdict)
  const lately = before.filter((envelope) => isOpen(envelope) && envelope.node === accused).slice(-accusedMax)
  const shown = new Set([...told, ...faults, ...mentions, ...lately.map(({ id }) => id)])
  const lines = before
    .filter(({ id }) => shown.has(id))
    .flatMap((envelope) => [
      ...(omitted.has(envelope.id) ? [`  ${" ".repeat(23)}… ${omitted.get(envelope.id)} more like these`] : []),
      `${told.includes(envelope.id) ? "→" : " "} ${Timeline.line(envelope)}`
    ])
  if (verdict._tag !== "stalled" || subjects.length === 0) return lines
  const seconds = (verdict.atMicros / 1_000_000).toFixed(3)
  const what = mentions.length === 0 ? "nothing" : "nothing else"
  return [...lines, `  ${what} speaks of ${subjects.join(", ")} until the end, at ${seconds} s`]
}

/** Of many of one kind in a row the first two and the last; before which of them how many are omitted. */
function thinned(facts: ReadonlyArray<Envelope>) {
  const kindOf = ({ fact }: Envelope) => `${fact._tag} ${(fact as unknown as { readonly label?: string }).label ?? ""}`
  const kept: Array<Envelope> = []
  const omitted = new Map<number, number>()
  let begin = 0
  for (const [index, envelope] of facts.entries()) {
    if (index + 1 < facts.length && kindOf(facts[index + 1] as Envelope) === kindOf(envelope)) continue
    const alike = facts.slice(begin, index + 1)
    begin = index + 1
    if (alike.length > 4) omitted.set(envelope.id, alike.length - 3)
    kept.push(...(alike.length > 4 ? [...alike.slice(0, 2), envelope] : alike))
  }
  return { kept, omitted }
}

/** The facts without which that one would not be, without what merely passes it on. */
function chainTo(facts: ReadonlyArray<Envelope>, last: number): Set<number> {
  const byId = new Map(facts.map((envelope) => [envelope.id, envelope]))
  const chain = new Set<number>()
  for (let at = byId.get(last); at !== undefined; at = byId.get(at.cause)) {
    if (!passesOn.includes(at.fact._tag)) chain.add(at.id)
  }
  return chain
}

/** Of a message what was sent says it all; a timer only says that time went by. */
const passesOn: ReadonlyArray<string> = [
  "TimerSet",
  "Delivered",
  "SpanStarted",
  "SpanEnded",
  "SessionOpened",
  "SessionClosed"
]

/** What the plan did, and of each kind its last strikes. */
function faultFacts(facts: ReadonlyArray<Envelope>): ReadonlyArray<number> {
  const acted = facts.filter(({ fact }) => fact._tag === "FaultActed" || fact._tag === "FaultUndone")
  const effects = facts.filter(({ fact }) => fact._tag === "FaultEffect")
  const byKind = Map.groupBy(effects, ({ fact }) => (fact as unknown as { readonly fault: string }).fault)
  const strikes = [...byKind.values()].flatMap((all) => all.slice(-strikesMax))
  return [...acted, ...strikes].map(({ id }) => id).slice(-chainMax)
}

/** What it is about: strings of the evidence, or words of the reason, that look like names of single things. */
function subjectsOf(verdict: Verdict): ReadonlyArray<string> {
  const strings =
    verdict._tag === "violated"
      ? Object.values(verdict.evidence).filter((value) => typeof value === "string")
      : verdict._tag === "stalled"
        ? (verdict.reason.match(/[A-Za-z][\w./-]*\d[\w./-]*/g) ?? [])
        : []
  return strings.filter((text) => text.length >= 4 && text.length <= 80 && /\d/.test(text))
}

/** Values that are no names, as "6" or "the-lease", mean the same only where they are called the same. */
function namedValuesOf(verdict: Verdict): ReadonlyArray<string> {
  if (verdict._tag !== "violated") return []
  return Object.entries(verdict.evidence)
    .filter(([name, value]) => name !== "node" && typeof value === "string" && value !== "")
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
}

/** What tells things apart: of values that are spoken of more than once, the one that is so least often. */
function rarest(values: ReadonlyArray<string>, facts: ReadonlyArray<Envelope>): ReadonlyArray<string> {
  const texts = values.length === 0 ? [] : facts.map(({ fact }) => JSON.stringify(fact))
  return values
    .map((value) => ({ value, times: texts.filter((text) => text.includes(value)).length }))
    .filter(({ times }) => times > 1)
    .toSorted((one, other) => one.times - other.times)
    .slice(0, 1)
    .map(({ value }) => value)
}

function accusedOf(verdict: Verdict): string | undefined {
  const node = verdict._tag === "violated" ? verdict.evidence["node"] : undefined
  return typeof node === "string" && node !== "" ? node : undefined
}

function speaksOf({ fact }: Envelope, subjects: ReadonlyArray<string>): boolean {
  if (subjects.length === 0) return false
  const text = JSON.stringify(fact)
  return subjects.some((subject) => text.includes(subject))
}
