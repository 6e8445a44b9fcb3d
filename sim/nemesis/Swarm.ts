/**
 * Swarm testing (Groce et al., ISSTA 2012): every seed redraws which kinds of fault exist, how many and how strong, so
 * that kinds which mask each other are also tried alone.
 */
import type { World } from "../run/World.ts"
import type { Draw } from "./Draw.ts"
import type { FaultKind } from "./FaultKind.ts"
import type { FaultPlan } from "./FaultPlan.ts"

export interface SwarmOptions {
  readonly kinds: ReadonlyArray<FaultKind>
  readonly safetyMicros: number
  /** Nodes of which a random majority may be the healthy core of the liveness phase. */
  readonly quorumOf?: ReadonlyArray<string>
}

/** Probabilities that a kind takes part: one of them for all the kinds of a seed. */
const presences = [0.15, 0.3, 0.5] as const

export const draw = (from: Draw, world: World, options: SwarmOptions): FaultPlan => {
  const presence = from.pick("presence", presences)
  const faults = options.kinds.flatMap((kind) => {
    const own = from.child(kind.name)
    return own.happens("present", presence) ? kind.draw(own, { safetyMicros: options.safetyMicros, world }) : []
  })
  const { quorumOf = [] } = options
  if (quorumOf.length < 3 || !from.happens("core", 0.3)) return { version: 1, faults }
  const quorum = from.shuffle("core", quorumOf).slice(0, Math.floor(quorumOf.length / 2) + 1)
  const rest = world.tagged().filter((name) => !quorumOf.includes(name))
  return { version: 1, faults, core: [...quorum, ...rest] }
}
