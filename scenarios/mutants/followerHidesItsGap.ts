import type { Mutant } from "./Mutant.ts"

export const followerHidesItsGap: Mutant = {
  name: "follower-hides-its-gap",
  why: "The follower was too slow for what is kept, and its watchers are not told.",
  incident: "etcd #19179: compaction under a running watch",
  runsIn: "watch/",
  edits: [
    {
      file: "core/watch/Watch.ts",
      find: "if (batch === undefined) hub.end()",
      replace: "if (batch === undefined) void hub"
    }
  ]
}
