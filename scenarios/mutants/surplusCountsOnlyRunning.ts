import type { Mutant } from "./Mutant.ts"

// covers A9, A10
export const surplusCountsOnlyRunning: Mutant = {
  name: "surplus-counts-only-running",
  why: "Instances on their way are not counted: they are created twice, or live on when too many.",
  incident: "table A, A10: the plain rule deletes only what is provisioned",
  edits: [
    {
      file: "core/fleet/FleetScaler.ts",
      find: "and(eq(row.fleet, id), isNull(row.deletionRequestedAt))",
      replace: 'and(eq(row.fleet, id), isNull(row.deletionRequestedAt), eq(row.state, "RUNNING"))'
    }
  ]
}
