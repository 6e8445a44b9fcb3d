import type { Mutant } from "./Mutant.ts"

// covers A11
export const placementLeftAtOnce: Mutant = {
  name: "placement-left-at-once",
  why: "An instance that is to end loses its placement at once, not when its agent has ended it: the row may leave before what it is of.",
  incident: "table A, A11; rabbitmq operator #648: gone by the record, still there outside",
  edits: [
    {
      file: "core/placement/Placement.ts",
      find: `  transaction.update(placements, {
    where: (row) => and(eq(row.uid, uid), eq(row.wanted, "run")),
    set: () => ({ wanted: "stop" as const })
  })
`,
      replace: `  transaction.delete(placements, {
    where: (row) => and(eq(row.uid, uid), eq(row.wanted, "run"))

  })
`
    }
  ]
}
