/**
 * A scenario: one story, its world, what may go wrong and what must hold all the same.
 */
import type { Mark } from "../../core/facts/Mark.ts"
import { type AnyInvariant, type Check, checkOf } from "../../core/invariants/Invariant.ts"
import type { FaultKind } from "../nemesis/FaultKind.ts"
import type { FaultPlan } from "../nemesis/FaultPlan.ts"
import type { Draw } from "../nemesis/Draw.ts"
import type { Scale } from "../search/Scale.ts"
import type { World } from "./World.ts"

/** What one run of a scenario is sized by: whole numbers, drawn from the seed, shrunk, saved with a failure. */
export type Parameters = Readonly<Record<string, number>>

/** Inclusive bounds of each parameter. */
export type ParameterRanges = Readonly<Record<string, readonly [minimum: number, maximum: number]>>

export interface Liveness {
  /** From the end of the safety phase, with every fault healed (or those inside the healthy core). */
  readonly withinMillis: number
  /** After convergence it must stay converged for so long, and write nothing that `noise` names. */
  readonly quietMillis: number
  /** Labels of transactions that must not commit while quiet. */
  readonly noise: (label: string) => boolean
}

/** What a scenario built, as far as the run must know it. */
export interface Built {
  /** True when the system has recovered; else what is still missing, for the verdict. */
  readonly converged: () => true | string
}

export interface Scenario {
  /** Area and situation: "lease/leader-killed". */
  readonly name: string
  /** The story in prose: situation, what happens, what must hold. */
  readonly story: string
  readonly parameters: ParameterRanges
  /** Registers the nodes and starts them. Everything random comes from `world.draw`. */
  readonly build: (world: World, parameters: Parameters) => Built | void
  /** The faults of this story, drawn from the seed: a plan of its own, or the swarm over the kinds it allows. */
  readonly faults: (draw: Draw, world: World, parameters: Parameters) => FaultPlan
  /** Kinds of its own, besides those that come with the simulator. */
  readonly faultKinds: ReadonlyArray<FaultKind>
  readonly invariants: ReadonlyArray<Check>
  /** What its runs should meet besides what the control plane declares: a sweep names those of kind sometimes and reachable that none met. */
  readonly marks: ReadonlyArray<Mark>
  readonly safetyMillis: number
  readonly liveness: Liveness | undefined
  /** Programs use promises: `docs/promises.md`. Such a scenario is run in a turn of its own (`sim/host/ownTurn`). Default: false. */
  readonly isAsync?: boolean
  /** How long the faults of an exhaustive search last. Default: `search/Scale.ts`. */
  readonly scale?: Scale
}

export interface Options
  extends
    Pick<Scenario, "name" | "story" | "build" | "safetyMillis">,
    Partial<Omit<Scenario, "name" | "story" | "build" | "safetyMillis" | "invariants">> {
  readonly invariants?: ReadonlyArray<Check | AnyInvariant>
}

/** A scenario with the defaults: no parameters, no faults, no marks but those that its invariants need, no liveness phase. */
export const make = ({ invariants = [], marks = [], ...options }: Options): Scenario => {
  const checks = invariants.map(checkOf)
  return {
    parameters: {},
    faults: () => ({ version: 1, faults: [] }),
    faultKinds: [],
    liveness: undefined,
    ...options,
    invariants: checks,
    marks: [...new Set([...marks, ...checks.flatMap(({ needs = [] }) => needs)])]
  }
}
