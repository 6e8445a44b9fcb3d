import { make, plan, repeated } from "./ControlPlaneScenario.ts"

// covers A33
export const threeGroups = make({
  name: "network/three-groups",
  story: `The hosts fall apart into three or four groups, and meet again. Only the group of the database can do any work; nobody else may
believe that it does.`,
  parameters: { nodes: [3, 5] },
  faults: (draw) =>
    plan(
      ...repeated(draw, {
        times: [1, 4],
        withinMillis: 50_000,
        forMillis: [1_000, 15_000],
        fault: {
          target: "*",
          fault: "network/partition-groups",
          parameters: { groups: draw.integer("groups", 3, 4), deal: draw.integer("deal", 0, 1_000) }
        }
      })
    )
})
