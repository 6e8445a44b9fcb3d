import type { Mutant } from "./Mutant.ts"

// covers A17, A34
export const leaderGateOnShardWork: Mutant = {
  name: "leader-gate-on-shard-work",
  why: "Only the leader works on its buckets: the followers skip theirs.",
  incident: "table A, A17 and A34: leader gate and shard gate combined",
  edits: [
    {
      file: "core/ControlPlane.ts",
      find: "whileHeld(Leader.lease, leads)",
      replace: "whileHeld(Leader.lease, (grant) => Effect.raceFirst(leads(grant), BucketOwner.run(buckets.serve)))"
    },
    {
      file: "core/ControlPlane.ts",
      find: 'essential("buckets/own", BucketOwner.run(buckets.serve))',
      replace: "Effect.void"
    }
  ]
}
