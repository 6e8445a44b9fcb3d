import type { Mutant } from "./Mutant.ts"

export const releaseWithoutOwnerCheck: Mutant = {
  name: "release-without-owner-check",
  why: "A release frees the lease whoever holds it by now.",
  incident: "checkers.md 5.1, rule 8",
  edits: [
    {
      file: "core/lease/Lease.ts",
      find: "            eq(row.holder, options.holder),\n            eq(row.epoch, options.fence.epoch),\n",
      replace: "            eq(row.key, options.fence.lease),\n            eq(row.key, options.fence.lease),\n"
    }
  ]
}
