import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const membersJoinAndLeave = make({
  name: "member/join-and-leave",
  story: `Nodes join a running cluster, leave it in order, and vanish. Bucket groups move to whoever is there, one owner and one epoch
at a time, and no more of them than must.`,
  parameters: { nodes: [2, 3], joiners: [1, 3] },
  direct: (world, { join }, { joiners = 1 }) => {
    for (let index = 1; index <= joiners; index++) {
      const id = `late-${index}`
      const atMicros = world.draw.integer(`join/${id}`, 5, 40) * 1_000_000
      world.kernel.schedule(atMicros, () => join(id), undefined)
    }
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
