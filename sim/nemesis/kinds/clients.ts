/**
 * Faults of clients: what impatient, broken or malicious callers do. The clients of a scenario ask for them.
 */
import type { Draw } from "../Draw.ts"
import type { FaultKind, SwarmContext } from "../FaultKind.ts"
import { window } from "./process.ts"

const hazard = (name: string, describes: string, rateMinimum: number, rateMaximum: number): FaultKind => ({
  name: `clients/${name}`,
  describes,
  mode: "hazard",
  draw: (draw: Draw, context: SwarmContext) => [window(draw, context, `clients/${name}`, rateMinimum, rateMaximum)]
})

export const all: ReadonlyArray<FaultKind> = [
  hazard("duplicate-retry", "a request is sent again with its key although it was answered", 0.05, 0.6),
  hazard("other-body", "a key is used again with another body", 0.05, 0.4),
  hazard("concurrent-duplicates", "one request with one key goes to several nodes at once", 0.05, 0.6),
  hazard("retry-storm", "an unanswered request is repeated without any pause", 0.05, 0.4),
  hazard("abandoned", "a request is given up in the middle and never asked for again", 0.02, 0.3)
]
