import { all } from "../core/invariants/all.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"
import { failureTold } from "./failureTold.ts"

export const agentsRunInstances = make({
  name: "agents/run-instances",
  story: `The agents run the instances, each on its own host, as they do in production. They are killed and started again, paused, and cut
from the control plane, whose nodes are killed and held up as well; answers are lost and requests repeated. No instance ever runs twice or where it is
not placed, none is left behind, what failed is replaced, and what is told of how is told of it. Now and then a proxy before the nodes upgrades nothing, and the agents poll.`,
  // Of four seeds one has a proxy.
  parameters: { agents: [1, 3], clients: [1, 2], proxied: [0, 3] },
  safetyMillis: 90_000,
  cluster: { runsOnAgents: true },
  invariants: [...all, toCheck(failureTold)],
  clusterOf: ({ proxied }) => ({ agentsBehindProxy: proxied === 3 }),
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw.child("kills"), {
        times: [1, 4],
        withinMillis: 80_000,
        forMillis: [500, 20_000],
        fault: { target: "random(agent)", fault: "process/kill" }
      }),
      ...repeated(draw.child("cuts"), {
        times: [0, 2],
        withinMillis: 60_000,
        forMillis: [5_000, 45_000],
        fault: { target: "random(agent)", fault: "network/partition", with: "all(control-plane)" }
      }),
      ...repeated(draw.child("pauses"), {
        times: [0, 2],
        withinMillis: 80_000,
        forMillis: [2_000, 20_000],
        fault: { target: "random(agent)", fault: "process/pause" }
      }),
      ...repeated(draw.child("leaders"), {
        times: [0, 2],
        withinMillis: 80_000,
        forMillis: [500, 12_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      }),
      throughout("process/delay-at-point", [0.01, 0.2], "all(control-plane)"),
      throughout("network/answer-lost", [0.001, 0.05]),
      throughout("network/duplication", [0.001, 0.05]),
      throughout("controlled/died-after-healthy", [0.01, 0.1]),
      throughout("controlled/provider-half-finish", [0.01, 0.1]),
      throughout("controlled/false-success", [0.01, 0.1])
    )
})
