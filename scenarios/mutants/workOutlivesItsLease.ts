import type { Mutant } from "./Mutant.ts"

// covers A22
export const workOutlivesItsLease: Mutant = {
  name: "work-outlives-its-lease",
  why: "Work that refuses to end when its lease is lost may go on for as long as it likes.",
  incident: "cilium #42920",
  edits: [
    {
      file: "core/lease/LeaseKeeper.ts",
      find: "          return yield* node.exit(`work under lease ${lease.fence.lease} outlived it`)\n",
      replace: "          break\n"
    }
  ]
}
