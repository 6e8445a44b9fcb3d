import { commonKinds } from "../sim/nemesis/faultKinds.ts"
import * as Swarm from "../sim/nemesis/Swarm.ts"
import * as ControlPlaneScenario from "./ControlPlaneScenario.ts"

// covers A33
export const everything = ControlPlaneScenario.make({
  name: "everything",
  story: `Everything at once: each seed redraws the topology, the workload, which kinds of fault exist, how many and how strong.
Nothing that was acknowledged is lost or done twice, nobody acts under a lease that is another's, and when the faults are over
every fleet is as it is wanted.`,
  parameters: { nodes: [3, 5], agents: [1, 3], clients: [1, 4], desiredMax: [1, 8] },
  faults: (draw, { world }) =>
    Swarm.draw(draw, world, { kinds: commonKinds, safetyMicros: 60_000_000, quorumOf: world.tagged("control-plane") })
})
