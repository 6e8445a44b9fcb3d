import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const clientCutFromItsNode = make({
  name: "api/client-cut-from-its-node",
  story: `Clients lose the nodes they are talking to, in the middle of requests. They ask another node with the same key: what was done stays
done once.`,
  faults: (draw) =>
    plan(
      ...repeated(draw, {
        times: [3, 8],
        withinMillis: 55_000,
        forMillis: [200, 8_000],
        fault: { target: "random(client)", with: "random(control-plane)", fault: "network/partition" }
      })
    )
})
