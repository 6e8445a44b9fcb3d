import { all } from "../core/invariants/all.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import { fromMicros } from "../sim/nemesis/FaultPlan.ts"
import * as Scenario from "../sim/run/Scenario.ts"
import { answeredInTime } from "./answeredInTime.ts"
import * as Clients from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import { readYourWrites } from "./readYourWrites.ts"

const safetyMillis = 60_000

// covers A21
export const leaderKilled: Scenario.Scenario = Scenario.make({
  name: "lease/leader-killed",
  story: `The leader of three nodes dies without a word, again and again, and each time comes back after a while.
Another node leads once the lease has expired, under a higher epoch; never two at once.`,
  parameters: { nodes: [3, 5], kills: [1, 5] },
  safetyMillis,
  build: (world, { nodes = 3 }) => {
    const { addresses, leasesSettled } = Cluster.build(world, { nodes })
    Clients.build(world, {
      clients: 0,
      addresses,
      requestsPerSecond: 0,
      untilMicros: safetyMillis * 1_000,
      fleets: 0,
      desiredMin: 0,
      desiredMax: 0
    })
    const asksStill = () => `${world.unended.join(", ")} still asks`
    return { converged: () => (world.unended.length === 0 ? leasesSettled() : asksStill()) }
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
  invariants: [...all, toCheck(answeredInTime), toCheck(readYourWrites)],
  liveness: { withinMillis: 90_000, quietMillis: 10_000, noise: (label) => label === "lease/acquire" }
})
