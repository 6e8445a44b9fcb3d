/**
 * Faults of what is controlled: agents whose heartbeats stop, and providers that lag, half-finish, lie, forget and let die.
 */
import type { FaultKind, SwarmContext } from "../FaultKind.ts"
import type { Draw } from "../Draw.ts"
import { window } from "./process.ts"

const hazard = (name: string, describes: string, rateMinimum: number, rateMaximum: number): FaultKind => ({
  name: `controlled/${name}`,
  describes,
  mode: "hazard",
  draw: (draw: Draw, context: SwarmContext) => [window(draw, context, `controlled/${name}`, rateMinimum, rateMaximum)]
})

export const all: ReadonlyArray<FaultKind> = [
  hazard("stale-heartbeat", "an agent's heartbeat is not sent", 0.05, 0.9),
  hazard("flapping-agent", "an agent stops its heartbeats for long enough to be given up, and comes back", 0.02, 0.15),
  hazard("false-success", "a start is answered with success and does nothing", 0.02, 0.4),
  hazard("died-after-healthy", "a resource dies within 30 s after it was healthy", 0.05, 0.6),
  hazard("forgotten-stop", "a stop is answered, the resource shown as gone, and nothing ends it", 0.05, 0.4),
  hazard("provider-half-finish", "a start begins and never ends", 0.02, 0.3),
  hazard("provider-lag", "starts, stops and observations are up to 10 s late or old", 0.05, 0.5),
  hazard("provider-throttled", "a call is refused for now", 0.05, 0.5),
  hazard("provider-unavailable", "a call cannot reach the provider", 0.05, 0.5),
  hazard("provider-unknown-outcome", "a call takes effect and its answer is lost", 0.05, 0.5)
]
