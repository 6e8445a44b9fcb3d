import { all } from "../core/invariants/all.ts"
import { fromMicros } from "../sim/nemesis/FaultPlan.ts"
import * as Scenario from "../sim/run/Scenario.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

export const leaderKilled: Scenario.Scenario = Scenario.make({
  name: "lease/leader-killed",
  story: `The leader of three nodes dies without a word, again and again, and each time comes back after a while.
Another node leads once the lease has expired, under a higher epoch; never two at once.`,
  parameters: { nodes: [3, 5], kills: [1, 5] },
  safetyMillis: 60_000,
  build: (world, { nodes = 3 }) => {
    const { leasesSettled } = Cluster.build(world, { nodes })
    return { converged: leasesSettled }
  },
  faults: (draw, _world, { kills = 1 }) => ({
    version: 1,
    faults: Array.from({ length: kills }, (_, index) => ({
      name: `leader killed, ${index + 1}`,
      when: { at: fromMicros(draw.integer(`at/${index}`, 20, 550) * 100_000) },
      target: "leaderOf(leader)",
      fault: "process/kill-leader",
      for: fromMicros(draw.integer(`for/${index}`, 1, 150) * 100_000)
    }))
  }),
  invariants: all,
  liveness: { withinMillis: 30_000, quietMillis: 10_000, noise: (label) => label === "lease/acquire" }
})
