import type { Mutant } from "./Mutant.ts"

// covers A18, A34
export const readThenCreateLock: Mutant = {
  name: "read-then-create-lock",
  why: "The take-over trusts the look before it instead of deciding in its own statement.",
  incident: "table A, A34: read-then-create lock",
  edits: [
    {
      file: "core/lease/Lease.ts",
      find: "          where: (existing) => or(le(existing.expiresAt, clockTimestamp), eq(existing.holder, options.holder))",
      replace: "          where: () => and()"
    }
  ]
}
