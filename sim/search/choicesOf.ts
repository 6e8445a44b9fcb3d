/**
 * Every choice that a run leaves open, up to a bound: each fault of the repertoire at each place of the run where it can differ from
 * the same fault elsewhere, and each departure from its schedule. Pure in what the run told of itself.
 *
 * What is left out, because it cannot differ:
 *
 * - *Between two steps.* A pause or a jump of a clock is felt by its node alone, and only when the node acts next; a kill also by
 *   those it speaks with, when they act (what it had sent arrives, and nobody is there any more); a cut by the packets between its two
 *   ends, when they leave. So of all moments between two such instants the first stands for the others.
 * - *What nobody asks.* A hazard strikes by occurrence; one that the run does not come to is not struck, and the run stays as it was.
 * - *Another name.* `network/reset` breaks a connection as `network/loss` does, `network/reordering` delays a message as
 *   `network/latency-tail` does, `process/restart` is a short kill, `process/kill-leader` a kill, `network/isolate` of an end with one
 *   peer a partition, `clock/skew` a jump at the beginning.
 * - *Alone.* A fiber that is preempted where nothing else can run goes on at once. Of several port calls with no operation between
 *   them a preemption comes after the last.
 *
 * What this leaves out besides, so that it is part of the bound: how long a fault lasts is one of the scale's times; a process that is told
 * to stop acts at once, and is told so once between any two instants in which it or a peer acts; in the middle of an instant,
 * between two tasks of one node, faults strike at fault points only (`process/kill-at-point`); kinds of fault that a scenario brings.
 */
import type { ChoicePoint } from "../kernel/ChoicePoint.ts"
import { preempts, takesTask } from "../kernel/Deviations.ts"
import { type Fault, fromMicros, toMicros } from "../nemesis/FaultPlan.ts"
import { clockTag } from "../nemesis/kinds/clock.ts"
import { victimTag } from "../nemesis/kinds/process.ts"
import type { Choice } from "./Choice.ts"
import type { Scale } from "./Scale.ts"

export interface Observed {
  /** In the order of the run. */
  readonly points: ReadonlyArray<ChoicePoint>
  /** Node to its tags. */
  readonly nodes: Readonly<Record<string, ReadonlyArray<string>>>
}

export interface Choices {
  /** In the order of their moments. */
  readonly choices: ReadonlyArray<Choice>
  /** How many more there were, by why they need not be made. */
  readonly leftOut: Readonly<Record<Exclude<LeftOut, "nothing happened">, number>>
}

export type LeftOut = "between two steps" | "another name" | "alone" | "nothing happened"

/** What a hazard does where it strikes: one way, several by their parameters, or the same as another kind. */
const variantsOf = (kind: string, scale: Scale): ReadonlyArray<Readonly<Record<string, number>>> | "another name" => {
  switch (kind) {
    case "network/reset":
    case "network/reordering":
      return "another name"
    case "network/latency-tail":
      return scale.delayMillis.map((millis) => ({ millis }))
    case "process/delay-at-point":
      return scale.outageMillis.map((millis) => ({ millis }))
    // Without a failover in the plan there is nothing that it could do.
    case "storage/failover":
      return []
    default:
      return [{}]
  }
}

/** Choices of the run that act before `untilMicros`. */
export const choicesOf = ({ nodes, points }: Observed, scale: Scale, untilMicros: number): Choices => {
  const early = points.filter(({ atMicros }) => atMicros < untilMicros)
  const leftOut = { "between two steps": 0, "another name": 0, alone: 0 }
  const instants = new Set(early.map(({ atMicros }) => atMicros)).size
  const choices: Array<Choice> = []
  const eventsAt = (moments: ReadonlySet<number>, templates: ReadonlyArray<Omit<Fault, "when">>) => {
    const gaps = gapsOf(moments)
    leftOut["between two steps"] += (instants + 1 - gaps.length) * templates.length
    for (const atMicros of gaps) for (const template of templates) choices.push(eventAt(template, atMicros))
  }

  const acted = new Map<string, Set<number>>()
  const packets = new Map<string, Set<number>>()
  const touched = new Map<string, Set<number>>()
  for (const point of early) {
    if (point._tag === "Acted") placed(acted, point.node).add(point.atMicros)
    else if (point._tag === "Packet") {
      placed(packets, [point.source, point.target].toSorted().join(" ")).add(point.atMicros)
      for (const end of [point.source, point.target]) placed(touched, end).add(point.atMicros)
    } else choices.push(...choicesAt(point, scale, leftOut))
  }
  for (const [node, moments] of acted) {
    const tags = nodes[node] ?? []
    eventsAt(moments, ofNode(node, tags, scale))
    const links = [...packets.keys()].map((ends) => ends.split(" ")).filter((ends) => ends.includes(node))
    const heard = new Set([...moments, ...links.flat().flatMap((end) => [...(acted.get(end) ?? [])])])
    eventsAt(heard, deathsOf(node, tags, scale))
    if (tags.includes(victimTag)) {
      const stops = lasting(node, "process/stop", scale.outageMillis.slice(0, 1))
      // Not counted as left out: at another moment of a gap it acts then, and may differ.
      for (const atMicros of gapsOf(heard)) choices.push(...stops.map((stop) => eventAt(stop, atMicros)))
    }
  }
  for (const [ends, moments] of packets) eventsAt(moments, betweenEnds(ends.split(" "), scale))
  for (const [node, moments] of touched) {
    if (nodes[node]?.includes(victimTag) === true) eventsAt(moments, lasting(node, "network/clog", scale.outageMillis))
  }
  for (const [node, tags] of Object.entries(nodes)) choices.push(...fromTheBeginning(node, tags, scale))
  return { choices: choices.toSorted((one, other) => one.atMicros - other.atMicros), leftOut }
}

function choicesAt(
  point: Exclude<ChoicePoint, { readonly _tag: "Acted" | "Packet" }>,
  scale: Scale,
  leftOut: Record<"another name" | "alone", number>
): ReadonlyArray<Choice> {
  const { atMicros } = point
  switch (point._tag) {
    case "Task":
      return Array.from({ length: point.count - 1 }, (_, index) =>
        departure("schedule/another-task", point.name, takesTask(point.name, index + 1), atMicros)
      )
    case "PortCall": {
      const stalls = scale.stallMillis.map((millis) =>
        departure("schedule/stall", point.name, preempts(point.name, millis * 1_000), atMicros, millis * 1_000)
      )
      if (point.others > 0)
        return [departure("schedule/preempt", point.name, preempts(point.name), atMicros), ...stalls]
      leftOut.alone++
      return stalls
    }
    case "Hazard": {
      const variants = variantsOf(point.kind, scale)
      if (variants === "another name") leftOut["another name"]++
      else return variants.map((parameters) => strike(point.kind, point.occurrence, parameters, atMicros))
      return []
    }
  }
}

/** What may befall one node, of those kinds that are events. */
function ofNode(target: string, tags: ReadonlyArray<string>, scale: Scale): ReadonlyArray<Omit<Fault, "when">> {
  const isProcess = tags.includes(victimTag)
  return [
    ...(isProcess || tags.includes("database") ? lasting(target, "process/pause", scale.outageMillis) : []),
    ...(tags.includes(clockTag)
      ? scale.jumpMillis.map((millis) => ({ target, fault: "clock/jump", parameters: { millis } }))
      : [])
  ]
}

/** The same, of which those notice who speak with it. */
function deathsOf(target: string, tags: ReadonlyArray<string>, scale: Scale): ReadonlyArray<Omit<Fault, "when">> {
  const outages = [...scale.outageMillis.slice(0, 1), scale.lastingMillis]
  return [
    ...(tags.includes(victimTag) ? lasting(target, "process/kill", outages) : []),
    ...(tags.includes("database") ? lasting(target, "storage/server-restart", outages) : [])
  ]
}

function lasting(target: string, fault: string, outages: ReadonlyArray<number>): ReadonlyArray<Omit<Fault, "when">> {
  return outages.map((millis) => ({ target, fault, for: fromMicros(millis * 1_000) }))
}

/** Cuts between two hosts, both ways and each way. */
function betweenEnds([one, other]: ReadonlyArray<string>, scale: Scale): ReadonlyArray<Omit<Fault, "when">> {
  const [target, peer] = [one as string, other as string]
  return scale.outageMillis.flatMap((millis) => {
    const lasts = fromMicros(millis * 1_000)
    return [
      { target, with: peer, fault: "network/partition", for: lasts },
      { target, with: peer, fault: "network/partition-one-way", for: lasts },
      { target: peer, with: target, fault: "network/partition-one-way", for: lasts }
    ]
  })
}

/** What is so or is not: a clock that runs fast, a processor or a way that is slow. */
function fromTheBeginning(target: string, tags: ReadonlyArray<string>, scale: Scale): ReadonlyArray<Choice> {
  const fault = (name: string, parameters: Readonly<Record<string, number>>) =>
    eventAt({ target, fault: name, parameters }, 0)
  const isProcess = tags.includes(victimTag)
  return [
    ...(tags.includes(clockTag) ? scale.driftRates.map((rate) => fault("clock/drift", { rate })) : []),
    ...(isProcess ? scale.taskMicros.map((taskMicros) => fault("process/slow-cpu", { taskMicros })) : []),
    ...(isProcess ? scale.delayMillis.map((millis) => fault("network/link-latency", { millis })) : [])
  ]
}

/** One moment before the first instant, and one behind each. */
function gapsOf(instants: ReadonlySet<number>): ReadonlyArray<number> {
  return [0, ...[...instants].map((atMicros) => atMicros + 1)]
}

function eventAt(template: Omit<Fault, "when">, atMicros: number): Choice {
  const fault: Fault = { when: { at: fromMicros(atMicros) }, ...template }
  const name = named(fault, `at ${fromMicros(atMicros)}`)
  const endMicros = fault.for === undefined ? undefined : atMicros + toMicros(fault.for)
  return { name, place: name, kind: fault.fault, atMicros, endMicros, fault }
}

function strike(
  kind: string,
  occurrence: string,
  parameters: Readonly<Record<string, number>>,
  atMicros: number
): Choice {
  const given = Object.keys(parameters).length === 0 ? {} : { parameters }
  const fault: Fault = { when: { struck: [occurrence] }, target: "*", fault: kind, ...given }
  const name = named(fault, `of ${occurrence}`)
  const endMicros = atMicros + (parameters["millis"] ?? 0) * 1_000
  return { name, place: `${kind} ${occurrence}`, kind, atMicros, endMicros, fault }
}

function departure(kind: string, place: string, deviation: string, atMicros: number, lastsMicros = 0): Choice {
  return { name: `${kind} ${deviation}`, place, kind, atMicros, endMicros: atMicros + lastsMicros, deviation }
}

function named({ fault, for: lasts, parameters = {}, target, with: other }: Fault, when: string): string {
  return [
    fault,
    ...(target === "*" ? [] : [target]),
    ...(other === undefined ? [] : [`with ${other}`]),
    when,
    ...(lasts === undefined ? [] : [`for ${lasts}`]),
    ...Object.entries(parameters).map(([name, value]) => `${name} ${value}`)
  ].join(" ")
}

function placed(sets: Map<string, Set<number>>, name: string): Set<number> {
  let set = sets.get(name)
  if (set === undefined) sets.set(name, (set = new Set()))
  return set
}
