import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const agentCutFromAllNodes = make({
  name: "agents/agent-cut-from-all-nodes",
  story: `Every agent is cut from every node for longer than heartbeats may be stale. What runs there is fine; when so many go silent together
the brake holds and nothing is replaced beyond policy (kubernetes #24200).`,
  parameters: { desiredMax: [4, 8] },
  safetyMillis: 90_000,
  faults: (draw) =>
    plan(
      ...repeated(draw, {
        times: [1, 2],
        withinMillis: 20_000,
        forMillis: [15_000, 60_000],
        fault: { target: "all(agent)", with: "all(control-plane)", fault: "network/partition" }
      })
    )
})
