/**
 * What scenarios of a client that asks have in common, whatever answers it: which faults are drawn and until when, and that everything
 * is answered in the end, where that is wanted.
 */
import type { FaultKind } from "../nemesis/FaultKind.ts"
import * as Swarm from "../nemesis/Swarm.ts"
import type * as Scenario from "../run/Scenario.ts"
import type { World } from "../run/World.ts"

export interface AskedOptions {
  readonly kinds: ReadonlyArray<FaultKind>
  readonly safetyMillis: number
  readonly answeredWithinMillis: number | undefined
}

export const askedScenario = ({
  answeredWithinMillis,
  kinds,
  safetyMillis
}: AskedOptions): Pick<Scenario.Scenario, "safetyMillis" | "faults" | "liveness"> => ({
  safetyMillis,
  faults: (draw, world) => Swarm.draw(draw, world, { kinds, safetyMicros: safetyMillis * 1_000 }),
  liveness:
    answeredWithinMillis === undefined
      ? undefined
      : { withinMillis: answeredWithinMillis, quietMillis: 0, noise: () => false }
})

/** Of a world whose client `mustEnd`. */
export const untilAnswered = (world: World) => ({
  converged: () => world.unended.length === 0 || "the client still waits for answers"
})
