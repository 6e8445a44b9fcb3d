import { make, plan, repeated } from "./ControlPlaneScenario.ts"

export const leaderCutFromDatabase = make({
  name: "lease/leader-cut-from-database",
  story: `The leader can no longer reach the database, and everybody else can. It must stop before its lease runs out, whoever takes over
acts under a higher epoch, and what the old leader still sends when the cut heals is refused.`,
  faults: (draw) =>
    plan(
      ...repeated(draw, {
        times: [1, 4],
        withinMillis: 50_000,
        forMillis: [500, 15_000],
        fault: { target: "leaderOf(leader)", with: "database", fault: "network/partition" }
      })
    )
})
