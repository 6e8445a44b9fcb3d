import type { Mutant } from "./Mutant.ts"

// covers A16, A34
export const shardCountIntoClusterCounter: Mutant = {
  name: "shard-count-into-cluster-counter",
  why: "The count of one shard is written into the counter of the whole fleet.",
  incident: "table A, A34: a shard's count in the cluster-wide counter",
  edits: [
    {
      file: "core/fleet/FleetStatus.ts",
      find: "where: (row) => eq(row.fleet, id) }",
      replace: "where: (row) => eq(row.bucketGroup, fleet.bucketGroup) }"
    }
  ]
}
