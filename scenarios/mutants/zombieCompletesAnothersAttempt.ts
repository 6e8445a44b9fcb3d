import type { Mutant } from "./Mutant.ts"

// covers A5
export const zombieCompletesAnothersAttempt: Mutant = {
  name: "zombie-completes-anothers-attempt",
  why: "A request that was taken for dead finishes all the same, over the answer of the one that took it over.",
  incident: "pg-boss and graphile-worker complete by id; River #1213",
  edits: [
    {
      file: "core/idempotency/IdempotencyKey.ts",
      find: '          eq(row.state, "executing"),\n          eq(row.epoch, claimed.epoch)\n',
      replace: "          eq(row.key, claimed.key),\n          eq(row.key, claimed.key)\n"
    }
  ]
}
