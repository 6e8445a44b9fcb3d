import { make, plan, repeated } from "./ControlPlaneScenario.ts"

// covers A1, A3
export const duplicatesAcrossNodes = make({
  name: "idempotency/duplicates-across-nodes",
  story: `Clients send one request with one key to several nodes at once, send it again after it was answered, use its key for another body,
storm and give up. One key has one effect and one answer.`,
  parameters: { clients: [2, 4] },
  faults: (draw, { throughout }) =>
    plan(
      throughout("clients/concurrent-duplicates", [0.3, 0.9]),
      throughout("clients/duplicate-retry", [0.3, 0.9]),
      throughout("clients/other-body", [0.1, 0.5]),
      throughout("clients/retry-storm", [0.05, 0.4]),
      throughout("clients/abandoned", [0.02, 0.2]),
      throughout("network/duplication", [0.05, 0.5]),
      throughout("process/delay-at-point", [0.05, 0.3], "all(control-plane)"),
      ...repeated(draw, {
        times: [2, 6],
        withinMillis: 55_000,
        forMillis: [4_000, 9_000],
        fault: { target: "random(control-plane)", fault: "process/pause" }
      })
    )
})
