import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const providerUnreliable = make({
  name: "provider/lags-lies-and-forgets",
  story: `The outside world cannot be believed: starts are late, half done or only claimed, observations are old, calls are refused or their
outcome is unknown, stops are forgotten, and what was healthy dies. Every resource has exactly one
owner in the end, and every owner its resource.`,
  faults: (draw, { throughout }) =>
    plan(
      throughout("controlled/provider-lag", [0.05, 0.5]),
      throughout("controlled/provider-half-finish", [0.02, 0.3]),
      throughout("controlled/false-success", [0.02, 0.4]),
      throughout("controlled/forgotten-stop", [0.05, 0.4]),
      throughout("controlled/died-after-healthy", [0.05, 0.5]),
      throughout("controlled/provider-throttled", [0.05, 0.4]),
      throughout("controlled/provider-unavailable", [0.05, 0.4]),
      throughout("controlled/provider-unknown-outcome", [0.05, 0.5]),
      ...repeated(draw.child("pauses"), {
        times: [1, 6],
        withinMillis: 55_000,
        forMillis: [3_500, 6_500],
        fault: { target: "random(control-plane)", fault: "process/pause" }
      }),
      ...repeated(draw, {
        times: [0, 3],
        withinMillis: 50_000,
        forMillis: [500, 10_000],
        fault: { target: "random(control-plane)", fault: "process/kill" }
      })
    )
})
