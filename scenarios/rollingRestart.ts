import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const rollingRestart = make({
  name: "process/rolling-restart-with-traffic",
  story: `Every node is stopped and started in turn while clients go on asking. Leases are handed over by release, requests under way are
finished or repeated elsewhere, and nothing is done twice.`,
  faults: (draw) =>
    plan(
      ...Array.from({ length: draw.integer("rounds", 1, 3) }, (_, index) => ({
        when: { at: `${draw.integer(`at/${index}`, 3, 45)}s` },
        target: "all(control-plane)",
        fault: "process/rolling-restart",
        parameters: { stepMillis: draw.integer(`step/${index}`, 500, 9_000) }
      })),
      ...repeated(draw.child("stops"), {
        times: [0, 2],
        withinMillis: 50_000,
        forMillis: [500, 8_000],
        fault: { target: "random(control-plane)", fault: "process/stop" }
      })
    )
})
