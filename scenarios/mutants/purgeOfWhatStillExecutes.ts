import type { Mutant } from "./Mutant.ts"

export const purgeOfWhatStillExecutes: Mutant = {
  name: "purge-of-what-still-executes",
  why: "The purge takes claims for rubbish: whatever is not finished goes, also while it is executed.",
  incident: "brandur.org/idempotency-keys: the reaper and the completer",
  edits: [
    {
      file: "core/idempotency/IdempotencyKey.ts",
      find: "  and(le(row.expiresAt, clockTimestamp), le(row.claimExpiresAt, clockTimestamp))\n",
      replace: '  or(eq(row.state, "executing"), le(row.expiresAt, clockTimestamp))\n'
    }
  ]
}
