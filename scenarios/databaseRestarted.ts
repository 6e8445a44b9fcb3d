import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const databaseRestarted = make({
  name: "storage/database-restarted-under-load",
  story: `The database dies under load and comes back, with latency, aborted transactions and timeouts around it. Nothing acknowledged is
lost, unknown outcomes are resolved by looking, and every lease is found again.`,
  faults: (draw, { throughout }) =>
    plan(
      ...repeated(draw, {
        times: [1, 4],
        withinMillis: 55_000,
        forMillis: [100, 8_000],
        fault: { target: "database", fault: "storage/server-restart" }
      }),
      throughout("storage/latency", [0.01, 0.2]),
      throughout("storage/serialization-failure", [0.005, 0.1]),
      throughout("storage/deadlock", [0.005, 0.05]),
      throughout("storage/silent-client", [0.002, 0.03])
    )
})
