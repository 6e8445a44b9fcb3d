/**
 * The nemesis executes a plan: it waits for each fault's moment, resolves the target from the facts, acts, and undoes.
 *
 * - M1 What cannot be resolved is void and counted.
 * - M2 What happened is recorded, so that the plan can be pinned: selectors to nodes, rates to occurrences.
 */
import type { Envelope } from "../../core/facts/Envelope.ts"
import * as Chance from "../kernel/Chance.ts"
import type { World } from "../run/World.ts"
import type { FaultKind, Resolved } from "./FaultKind.ts"
import { type Acted, type Fault, type FactPattern, type FaultPlan, fromMicros, toMicros } from "./FaultPlan.ts"
import { orNearest } from "./nearest.ts"
import * as Target from "./Target.ts"

/** A fault that acted: told to the facts, so that timelines and patterns see it. */
export interface FaultActed {
  readonly _tag: "FaultActed"
  readonly fault: string
  readonly name: string
  readonly targets: ReadonlyArray<string>
  readonly others: ReadonlyArray<string>
  readonly forMicros: number | null
}

export interface FaultUndone {
  readonly _tag: "FaultUndone"
  readonly fault: string
  readonly name: string
}

/** Undefined when every name in the plan exists and every fault can act; else one line that says what does not, and where. */
export const problem = (plan: FaultPlan, kinds: ReadonlyArray<FaultKind>, world: World): string | undefined => {
  for (const [index, fault] of plan.faults.entries()) {
    const where = `fault ${index + 1}${fault.name === undefined ? "" : ` ("${fault.name}")`}`
    const kind = kinds.find((known) => known.name === fault.fault)
    if (kind === undefined) {
      const names = kinds.map(({ name }) => name)
      return `${where}: there is no fault kind "${fault.fault}"${orNearest(fault.fault, names)}`
    }
    const wrong =
      momentProblem(fault, kind) ??
      parameterProblem(fault, kind) ??
      Target.problem(world, fault.target) ??
      (fault.with === undefined ? undefined : Target.problem(world, fault.with))
    if (wrong !== undefined) return `${where}: ${wrong}`
  }
  const lost = plan.core?.flatMap((name) => Target.nodeProblem(world, name) ?? [])[0]
  return lost === undefined ? undefined : `core: ${lost}`
}

function momentProblem({ for: lasts, when }: Fault, { mode, name }: FaultKind): string | undefined {
  if (mode === "event" && ("rate" in when || "struck" in when)) return `${name} is an event: give it "at" or "on"`
  if (mode === "hazard" && "at" in when && lasts === undefined) {
    return `${name} strikes by occurrence: give it a window and a rate, or say "for" how long`
  }
  if ("on" in when && when.nth < 1) return `nth is ${when.nth}, and facts are counted from 1`
  if ("rate" in when && toMicros(when.from) >= toMicros(when.until)) {
    return `the window from ${when.from} until ${when.until} is ${toMicros(when.from) === toMicros(when.until) ? "empty" : "backwards"}`
  }
  return undefined
}

function parameterProblem({ parameters = {} }: Fault, { name, parameters: units = {} }: FaultKind): string | undefined {
  const known = Object.keys(units)
  const odd = Object.keys(parameters).find((parameter) => !known.includes(parameter))
  if (odd === undefined) return undefined
  const takes = known.length === 0 ? "none" : known.join(", ")
  return `${name} has no parameter "${odd}", it takes ${takes}${orNearest(odd, known)}`
}

export class Nemesis {
  readonly #world: World
  readonly #plan: FaultPlan
  readonly #kinds = new Map<string, FaultKind>()
  readonly #key: Chance.Key
  readonly #firstNodes: ReadonlyArray<string>
  /** What is in force: entry to undo. */
  readonly #active = new Map<number, () => void>()
  readonly #acted = new Map<number, Resolved & { readonly atMicros: number }>()
  /** Of each entry, without its count. */
  #names: ReadonlyArray<string> | undefined
  readonly #patterns: Array<{ readonly entry: number; readonly pattern: FactPattern; left: number }> = []
  #isOver = false
  voids = 0

  constructor(world: World, plan: FaultPlan, kinds: ReadonlyArray<FaultKind>) {
    this.#world = world
    this.#plan = plan
    for (const kind of kinds) this.#kinds.set(kind.name, kind)
    this.#key = Chance.derive(world.kernel.key, "nemesis")
    this.#firstNodes = world.tagged()
  }

  /** The nodes that are healed in the liveness phase; undefined means all. */
  get core(): ReadonlyArray<string> | undefined {
    return this.#plan.core
  }

  /** Arms every fault of the plan. */
  start(): void {
    for (const [entry, fault] of this.#plan.faults.entries()) {
      const { when } = fault
      if ("at" in when) this.#at(toMicros(when.at), () => this.#act(entry, fault))
      else if ("rate" in when) this.#at(toMicros(when.from), () => this.#act(entry, fault))
      else if ("struck" in when) this.#act(entry, fault)
      else this.#patterns.push({ entry, pattern: when.on, left: when.nth })
    }
    if (this.#patterns.length === 0) return
    // A pattern may name any fact, down to deliveries.
    this.#world.kernel.facts.subscribeDetailed((envelope) => this.#heard(envelope))
  }

  /** Undoes what is in force, inside the healthy core if the plan names one; no fault acts any more. */
  end(): void {
    this.#isOver = true
    const { core } = this.#plan
    for (const [entry, undo] of this.#active) {
      const acted = this.#acted.get(entry)
      if (core !== undefined && acted !== undefined && !acted.targets.some((target) => core.includes(target))) continue
      this.#active.delete(entry)
      undo()
    }
  }

  get acted(): ReadonlyArray<Acted> {
    return [...this.#acted.values()].map(({ atMicros, entry, others, targets }) => ({
      entry,
      atMicros,
      targets,
      others
    }))
  }

  /** The plan with targets as they were resolved and rates as the occurrences they struck. */
  pinned(): FaultPlan {
    const faults = this.#plan.faults.flatMap((fault, entry): ReadonlyArray<Fault> => {
      const acted = this.#acted.get(entry)
      if (acted === undefined) return []
      if (this.#kinds.get(fault.fault)?.mode === "hazard") {
        const struck = this.#world.hazards.strikes.filter((strike) => strike.entry === entry)
        return struck.length === 0 ? [] : [{ ...fault, when: { struck: struck.map((strike) => strike.occurrence) } }]
      }
      const one = this.#isPinnable(acted.targets) ? { target: acted.targets[0] as string } : {}
      const other = this.#isPinnable(acted.others) ? { with: acted.others[0] as string } : {}
      return [{ ...fault, ...one, ...other, when: { at: fromMicros(acted.atMicros) } }]
    })
    return { ...this.#plan, faults }
  }

  /** One node, which a plan may name: it was there when the run began. */
  #isPinnable(names: ReadonlyArray<string>): boolean {
    return names.length === 1 && this.#firstNodes.includes(names[0] as string)
  }

  /** What stays the same when other entries are added or taken away, or this one lasts longer: the chance of its targets. */
  #nameOf(entry: number): string {
    const names = (this.#names ??= this.#plan.faults.map(({ fault, target, when, ...rest }) =>
      [fault, target, rest.with ?? "", JSON.stringify(when)].join(" ")
    ))
    const own = names[entry] as string
    return `${own}/${names.slice(0, entry + 1).filter((name) => name === own).length}`
  }

  #at(atMicros: number, act: () => void): void {
    this.#world.kernel.schedule(Math.max(0, atMicros - this.#world.nowMicros), act, undefined, 0)
  }

  #heard(envelope: Envelope): void {
    for (const waiting of this.#patterns) {
      if (waiting.left <= 0 || !matches(waiting.pattern, envelope)) continue
      waiting.left--
      if (waiting.left > 0) continue
      const fault = this.#plan.faults[waiting.entry] as Fault
      // After the step that told the fact, not in the middle of it.
      this.#world.kernel.schedule(0, () => this.#act(waiting.entry, fault), undefined, envelope.id)
    }
  }

  #act(entry: number, fault: Fault): void {
    if (this.#isOver) return
    const world = this.#world
    const kind = this.#kinds.get(fault.fault)
    const key = Chance.derive(this.#key, this.#nameOf(entry))
    const targets = Target.resolve(world, fault.target, key)
    const others = fault.with === undefined ? [] : Target.resolve(world, fault.with, key + 1)
    if (kind === undefined || targets.length === 0 || (fault.with !== undefined && others.length === 0)) {
      this.voids++
      return
    }
    const resolved: Resolved = { entry, fault, targets, others }
    this.#acted.set(entry, { ...resolved, atMicros: world.nowMicros })
    const name = fault.name ?? fault.fault
    const forMicros = lasts(fault)
    world.kernel.facts.cause = world.kernel.facts.tell<FaultActed>(undefined, {
      _tag: "FaultActed",
      fault: fault.fault,
      name,
      targets,
      others,
      forMicros: forMicros ?? null
    })
    const undo = kind.mode === "event" ? kind.act(world, resolved) : this.#endanger(kind, resolved)
    if (undo === undefined) return
    this.#active.set(entry, undo)
    if (forMicros === undefined) return
    world.kernel.schedule(
      forMicros,
      () => {
        if (!this.#active.delete(entry)) return
        world.kernel.facts.tell<FaultUndone>(undefined, { _tag: "FaultUndone", fault: fault.fault, name })
        undo()
      },
      undefined
    )
  }

  #endanger(kind: FaultKind & { readonly mode: "hazard" }, resolved: Resolved): () => void {
    const { fault } = resolved
    return this.#world.hazards.add(kind.name, {
      entry: resolved.entry,
      covers: kind.covers?.(this.#world, resolved) ?? coversNodes(resolved),
      rate: "rate" in fault.when ? fault.when.rate : 1,
      struck: "struck" in fault.when ? new Set(fault.when.struck) : undefined,
      parameters: fault.parameters ?? {}
    })
  }
}

/** A subject is a node name, or begins with one ("n1/…"), or is a link with such an end ("a>b"). */
function coversNodes(resolved: Resolved): (subject: string) => boolean {
  if (resolved.fault.target === "*") return () => true
  const targets = new Set(resolved.targets)
  const others = new Set(resolved.others)
  const covers = (subject: string): boolean => {
    const ends = subject.split(">").map((end) => end.split("/")[0] as string)
    if (others.size === 0) return ends.some((end) => targets.has(end))
    return ends.some((end) => targets.has(end)) && ends.some((end) => others.has(end))
  }
  // Asked for every message, of few subjects.
  const known = new Map<string, boolean>()
  return (subject) => {
    let isCovered = known.get(subject)
    if (isCovered === undefined) known.set(subject, (isCovered = covers(subject)))
    return isCovered
  }
}

function lasts(fault: Fault): number | undefined {
  if (fault.for !== undefined) return toMicros(fault.for)
  return "rate" in fault.when ? toMicros(fault.when.until) - toMicros(fault.when.from) : undefined
}

function matches(pattern: FactPattern, envelope: Envelope): boolean {
  if (envelope.fact._tag !== pattern.fact) return false
  if (pattern.node !== undefined && pattern.node !== envelope.node) return false
  const fields = envelope.fact as unknown as Readonly<Record<string, unknown>>
  return Object.entries(pattern.where ?? {}).every(([name, value]) => fields[name] === value)
}
