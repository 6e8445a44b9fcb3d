/**
 * What scenarios of a client that asks have in common, whatever answers it: which faults are drawn and until when, and that everything
 * is answered in the end, where that is wanted.
 */
import type { Mark } from "../../core/facts/Mark.ts"
import type { Check } from "../../core/invariants/Invariant.ts"
import type { FaultKind } from "../nemesis/FaultKind.ts"
import * as Swarm from "../nemesis/Swarm.ts"
import type * as Scenario from "../run/Scenario.ts"
import type { World } from "../run/World.ts"
import { answeredTwice, answersAgree, askAnswered } from "./OutsideResource.ts"

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

/** Where answers are to agree, whoever was answered asks again. */
export const isAskedTwice = (invariants: ReadonlyArray<Pick<Check, "name">>): boolean =>
  invariants.some(({ name }) => name === answersAgree.name)

/** Those of a client that asks. */
export const askedMarks = (invariants: ReadonlyArray<Pick<Check, "name">>): ReadonlyArray<Mark> => [
  askAnswered,
  ...(isAskedTwice(invariants) ? [answeredTwice] : [])
]

/** Of a world whose client `mustEnd`. */
export const untilAnswered = (world: World) => ({
  converged: () => world.unended.length === 0 || "the client still waits for answers"
})
