import { make, plan } from "./ControlPlaneScenario.ts"

// covers A20
export const leaderPausedInTheMiddle = make({
  name: "lease/leader-paused-in-the-middle-of-a-write",
  story: `The leader stands still (garbage collection, a frozen virtual machine) right when one of its transactions has begun, past the end of
its lease. Others take over. When it wakes it goes on as if nothing had been; only the fence can refuse what it writes.`,
  faults: (draw, { throughout }) =>
    plan(
      ...Array.from({ length: draw.integer("pauses", 1, 5) }, (_, index) => ({
        name: `paused in the middle, ${index + 1}`,
        when: {
          on: { fact: "Sent", where: { to: "database" } },
          nth: index === 0 ? draw.integer("early", 1, 60) : draw.integer(`nth/${index}`, 100, 2_500)
        },
        target: draw.happens(`leader/${index}`, 0.6) ? "leaderOf(leader)" : "random(control-plane)",
        fault: "process/pause",
        for: `${draw.integer(`for/${index}`, 1, 20)}s`
      })),
      throughout("process/delay-at-point", [0.01, 0.2], "all(control-plane)")
    )
})
