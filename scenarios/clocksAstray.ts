import { clockTag } from "../sim/nemesis/kinds/clock.ts"
import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const clocksAstray = make({
  name: "clocks/skewed-and-drifting",
  story: `Every clock is wrong in its own way, the database's too: up to a minute off, up to two percent fast or slow, jumping. Leases are
judged by the database's clock alone and measured by each holder's monotonic one, so that nobody acts too long.`,
  faults: (draw, { world }) =>
    plan(
      ...world.tagged(clockTag).flatMap((target) => [
        {
          when: { at: "0s" },
          target,
          fault: "clock/skew",
          parameters: { millis: draw.integer(`skew/${target}`, -60_000, 60_000) }
        },
        {
          when: { at: "0s" },
          target,
          fault: "clock/drift",
          parameters: { rate: Number((0.98 + draw.fraction(`drift/${target}`) * 0.04).toFixed(4)) }
        }
      ]),
      ...repeated(draw.child("jumps"), {
        times: [1, 4],
        withinMillis: 50_000,
        forMillis: [1_000, 20_000],
        fault: (own) => ({
          target: `random(${clockTag})`,
          fault: "clock/jump",
          parameters: { millis: own.integer("millis", -90_000, 90_000) }
        })
      }),
      ...repeated(draw.child("kills"), {
        times: [0, 3],
        withinMillis: 50_000,
        forMillis: [500, 10_000],
        fault: { target: "leaderOf(leader)", fault: "process/kill-leader" }
      })
    )
})
