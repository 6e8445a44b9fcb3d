import type { World } from "../sim/run/World.ts"
import { databaseName } from "./ControlPlaneCluster.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

const cutFromDatabase = (world: World, node: string, forMicros: number): void => {
  world.kernel.schedule(forMicros, world.network.partition([node], [databaseName]), undefined)
}

// covers A26, A27
export const membersJoinAndLeave = make({
  name: "member/join-and-leave",
  story: `Nodes join a running cluster, leave it in order, and vanish. Bucket groups move to whoever is there, one owner and one epoch
at a time, and no more of them than must. A process that comes up under the name of a live one waits.`,
  parameters: { nodes: [2, 3], joiners: [1, 3], namesakes: [0, 1] },
  direct: (world, { join }, { joiners = 1, namesakes = 0 }) => {
    for (let index = 1; index <= joiners; index++) {
      const id = `late-${index}`
      const atMicros = world.draw.integer(`join/${id}`, 5, 40) * 1_000_000
      world.kernel.schedule(atMicros, () => join(id), undefined)
    }
    // It waits for the name of a live node, takes it while that one is cut off, and goes.
    if (namesakes === 0) return
    world.kernel.schedule(5_000_000, () => join("n1", "namesake"), undefined)
    world.kernel.schedule(20_000_000, () => cutFromDatabase(world, "n1", 12_000_000), undefined)
    world.kernel.schedule(58_000_000, () => world.retire("namesake"), undefined)
  },
  faults: (draw) =>
    plan(
      ...repeated(draw.child("leave"), {
        times: [1, 3],
        withinMillis: 50_000,
        forMillis: [2_000, 20_000],
        fault: { target: "random(control-plane)", fault: "process/stop" }
      }),
      ...repeated(draw.child("vanish"), {
        times: [0, 2],
        withinMillis: 50_000,
        forMillis: [2_000, 20_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      })
    )
})
