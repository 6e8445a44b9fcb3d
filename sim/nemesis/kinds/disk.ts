/**
 * Faults of disks, for scenarios whose nodes have one. What is lost at a crash is lost because the power
 * failed with it.
 */
import type { Draw } from "../Draw.ts"
import type { FaultKind, SwarmContext } from "../FaultKind.ts"
import { window } from "./process.ts"

const hazard = (name: string, describes: string, rateMinimum: number, rateMaximum: number): FaultKind => ({
  name: `disk/${name}`,
  describes,
  mode: "hazard",
  draw: (draw: Draw, context: SwarmContext) => [window(draw, context, `disk/${name}`, rateMinimum, rateMaximum)]
})

export const all: ReadonlyArray<FaultKind> = [
  hazard("lost-unsynced", "the power fails at a crash: what was not synced is lost, here and there", 0.3, 1),
  hazard(
    "torn-write",
    "at a crash the last unsynced write of a file is on the disk in part, whole sectors of it",
    0.3,
    1
  ),
  hazard("corruption", "a bit of what is read was flipped, for good", 0.001, 0.02),
  hazard("full", "the disk has no room for a write or a name", 0.01, 0.2),
  hazard("slow", "a call takes up to 5 s longer", 0.01, 0.3),
  hazard("sync-failure", "a sync fails, once, and what it should have saved is forgotten", 0.01, 0.2)
]
