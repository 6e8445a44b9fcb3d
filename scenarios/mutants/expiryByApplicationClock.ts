import type { Mutant } from "./Mutant.ts"

// covers A18
export const expiryByApplicationClock: Mutant = {
  name: "expiry-by-application-clock",
  why: "Who takes over judges the expiry of a lease by its own wall clock.",
  incident: "kubernetes #120824, client-go #448",
  edits: [
    {
      file: "core/lease/Lease.ts",
      find: "  const expiresAt = add(clockTimestamp, options.profile.durationMillis * 1_000)\n",
      replace: "  let nowMicros = 0; const expiresAt = add(clockTimestamp, options.profile.durationMillis * 1_000)\n"
    },
    {
      file: "core/lease/Lease.ts",
      find: "or(le(existing.expiresAt, clockTimestamp), eq(existing.holder",
      replace: "or(le(existing.expiresAt, nowMicros), eq(existing.holder"
    },
    {
      file: "core/lease/Lease.ts",
      find: '  return Effect.map(once(statement, { label: "lease/acquire" }), (rows) => rows.map(kept))',
      replace:
        '  return Effect.clockWith((clock) => Effect.suspend(() => { nowMicros = clock.currentTimeMillisUnsafe() * 1_000; return Effect.map(once(statement, { label: "lease/acquire" }), (rows) => rows.map(kept)) }))'
    },
    {
      file: "core/lease/Lease.ts",
      find: "          and(isIn(row.key, options.keys), gt(row.expiresAt, clockTimestamp), ne(row.holder, options.holder))",
      replace:
        "          and(isIn(row.key, options.keys), gt(row.expiresAt, clockTimestamp), ne(row.holder, row.holder))"
    }
  ]
}
