/**
 * A fault kind: a name, what it does, how the swarm draws it and how it acts on a world. Users add their own.
 *
 * Kinds of `hazard` strike by occurrence: they put a chance in force, and whoever could be struck asks `Hazards`. Kinds
 * of `event` act once and may be undone.
 */
import type { World } from "../run/World.ts"
import type { Draw } from "./Draw.ts"
import type { Fault } from "./FaultPlan.ts"

/** What the swarm may know when it draws. */
export interface SwarmContext {
  readonly safetyMicros: number
  readonly world: World
}

/** A fault whose target is known. */
export interface Resolved {
  /** Its position in the plan. */
  readonly entry: number
  readonly fault: Fault
  /** Node names; for `*` all of them. */
  readonly targets: ReadonlyArray<string>
  /** The other side, empty when the fault names none. */
  readonly others: ReadonlyArray<string>
}

export type FaultKind = {
  /** "area/kind". */
  readonly name: string
  /** One line for `list faults`. */
  readonly describes: string
  /** What a plan may give it besides: name to unit; without it, nothing. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Zero or more entries for a plan; the swarm leaves the kind out altogether more often than not. */
  readonly draw: (draw: Draw, context: SwarmContext) => ReadonlyArray<Fault>
} & (
  | {
      readonly mode: "hazard"
      /** Subjects that the targets stand for, when they are not the node names themselves: links, clients. */
      readonly covers?: (world: World, resolved: Resolved) => (subject: string) => boolean
    }
  | {
      readonly mode: "event"
      /** Acts, and returns how to undo it when its time is over or everything is healed. */
      readonly act: (world: World, resolved: Resolved) => (() => void) | undefined
    }
)
