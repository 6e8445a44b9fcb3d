/**
 * A plan a little different: one to three faults of it are moved, made longer or shorter, stronger or weaker, aimed at another node, left
 * out, or joined by one of another plan.
 */
import type { Draw } from "../nemesis/Draw.ts"
import { type Fault, type FaultPlan, fromMicros, toMicros } from "../nemesis/FaultPlan.ts"

export interface Surroundings {
  /** Nodes that may be aimed at. */
  readonly nodes: ReadonlyArray<string>
  /** Whose faults may join. */
  readonly other: FaultPlan
}

export const mutatePlan = (draw: Draw, plan: FaultPlan, surroundings: Surroundings): FaultPlan => {
  const steps = draw.integer("steps", 1, 3)
  let { faults } = plan
  for (let step = 0; step < steps; step++) faults = mutateOnce(draw.child(`step/${step}`), faults, surroundings)
  return { ...plan, faults }
}

function mutateOnce(draw: Draw, faults: ReadonlyArray<Fault>, { nodes, other }: Surroundings): ReadonlyArray<Fault> {
  const position = faults.length === 0 ? -1 : draw.integer("which", 0, faults.length - 1)
  const fault = faults[position]
  const how = draw.fraction("how")
  if (fault === undefined || how < 0.25) {
    return other.faults.length === 0 ? faults : [...faults, draw.pick("joins", other.faults)]
  }
  if (how < 0.4) return faults.toSpliced(position, 1)
  if (how < 0.5) return [...faults, moved(draw.child("again"), fault)]
  return faults.with(
    position,
    how < 0.75 ? moved(draw, fault) : how < 0.9 ? scaled(draw, fault) : aimed(draw, fault, nodes)
  )
}

/** Earlier or later, by up to 8 s: mostly by little. */
function moved(draw: Draw, fault: Fault): Fault {
  const { when } = fault
  const byMicros = (draw.happens("back", 0.5) ? -1 : 1) * Math.round(draw.logarithmic("by", 10, 8_000)) * 1_000
  const shifted = (text: string) => fromMicros(Math.max(0, toMicros(text) + byMicros))
  if ("at" in when) return { ...fault, when: { at: shifted(when.at) } }
  if ("on" in when) return { ...fault, when: { ...when, nth: Math.max(1, when.nth + draw.integer("nth", -3, 3)) } }
  if ("struck" in when || toMicros(when.from) + byMicros < 0) return fault
  return { ...fault, when: { ...when, from: shifted(when.from), until: shifted(when.until) } }
}

/** A third to three times as long, or as often. */
function scaled(draw: Draw, fault: Fault): Fault {
  const factor = draw.logarithmic("factor", 1 / 3, 3)
  const { when } = fault
  if ("rate" in when) {
    return { ...fault, when: { ...when, rate: Number(Math.min(1, when.rate * factor).toPrecision(2)) } }
  }
  if (fault.for === undefined) return fault
  return { ...fault, for: fromMicros(Math.max(1, Math.round((toMicros(fault.for) * factor) / 1_000)) * 1_000) }
}

/** One node where there was a selector, another one where there was one. */
function aimed(draw: Draw, fault: Fault, nodes: ReadonlyArray<string>): Fault {
  return nodes.length === 0 || fault.target === "*" ? fault : { ...fault, target: draw.pick("aim", nodes) }
}
