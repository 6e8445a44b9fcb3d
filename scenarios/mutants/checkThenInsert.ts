import type { Mutant } from "./Mutant.ts"

// covers A3
export const checkThenInsert: Mutant = {
  name: "check-then-insert",
  why: "A claim that is being executed is simply claimed again, and whoever finishes, finishes.",
  incident: "table A, A3: check, then insert",
  edits: [
    {
      file: "core/idempotency/IdempotencyKey.ts",
      find: '                    eq(existing.state, "executing"),\n                    le(existing.claimExpiresAt, clockTimestamp),',
      replace:
        '                    eq(existing.state, "executing"),\n                    eq(existing.state, "executing"),'
    },
    {
      file: "core/idempotency/IdempotencyKey.ts",
      find: '          eq(row.state, "executing"),\n          eq(row.epoch, claimed.epoch)\n',
      replace: "          eq(row.key, claimed.key),\n          eq(row.key, claimed.key)\n"
    }
  ]
}
