import { make, plan, repeated } from "./ControlPlaneScenario.ts"

// covers A12
export const agentsFlapping = make({
  name: "agents/flapping-and-stale",
  story: `Agents fall silent for longer than they may, come back, and lose single heartbeats. What is given up is replaced once; what returns is
recognised by its incarnation. Instances move from one agent to another, and are heard there before they are given up.`,
  parameters: { agents: [2, 3], desiredMax: [3, 6] },
  safetyMillis: 120_000,
  cluster: { moves: { everyMillis: 40_000, untilMillis: 85_000 } },
  faults: (draw, { throughout }) =>
    plan(
      throughout("controlled/stale-heartbeat", [0.1, 0.8]),
      throughout("controlled/flapping-agent", [0.1, 0.5]),
      ...repeated(draw.child("pauses"), {
        times: [2, 8],
        withinMillis: 115_000,
        forMillis: [2_000, 12_000],
        fault: { target: "random(control-plane)", fault: "process/pause" }
      }),
      ...repeated(draw, {
        times: [0, 3],
        withinMillis: 60_000,
        forMillis: [1_000, 40_000],
        fault: { target: "random(agent)", fault: "process/kill" }
      })
    )
})
