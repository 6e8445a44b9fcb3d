import { make, plan, repeated } from "./ControlPlaneScenario.ts"

// covers A33
export const oneWay = make({
  name: "network/one-way",
  story: `What a node sends to the database is lost while answers still arrive, or the other way round: requests whose effect is there and
whose answer is not, and leases that one side believes in.`,
  faults: (draw) =>
    plan(
      ...repeated(draw.child("there"), {
        times: [1, 3],
        withinMillis: 50_000,
        forMillis: [500, 12_000],
        fault: { target: "random(control-plane)", with: "database", fault: "network/partition-one-way" }
      }),
      ...repeated(draw.child("back"), {
        times: [1, 3],
        withinMillis: 50_000,
        forMillis: [500, 12_000],
        fault: { target: "database", with: "random(control-plane)", fault: "network/partition-one-way" }
      })
    )
})
