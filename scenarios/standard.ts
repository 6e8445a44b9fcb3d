import { commonKinds } from "../sim/nemesis/faultKinds.ts"
import * as Swarm from "../sim/nemesis/Swarm.ts"
import * as ControlPlaneScenario from "./ControlPlaneScenario.ts"

const safetyMillis = 300_000

/** What the speed of the simulator is measured with; not in the catalogue, as `everything` finds more in less time. */
export const standard = ControlPlaneScenario.make({
  name: "standard",
  story: `Three nodes, their database, about forty resources that are heard every 10 s, and eight clients that ask once a second each, for
five minutes, under the faults of the swarm and the eyes of every invariant.`,
  parameters: { nodes: [3, 3], agents: [2, 2], clients: [8, 8], desiredMax: [10, 10] },
  // Four fleets of 8 to 10, and up to six instances besides.
  workload: { requestsPerSecond: 1, fleets: 4, desiredMin: 8 },
  safetyMillis,
  faults: (draw, { world }) =>
    Swarm.draw(draw, world, {
      kinds: commonKinds,
      safetyMicros: safetyMillis * 1_000,
      quorumOf: world.tagged("control-plane")
    })
})
