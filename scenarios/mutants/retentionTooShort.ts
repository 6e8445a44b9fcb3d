import type { Mutant } from "./Mutant.ts"

// covers A2
export const retentionTooShort: Mutant = {
  name: "retention-too-short",
  why: "A key is forgotten while its client may still ask again.",
  incident: "Stripe keeps keys at least 24 h; table A, A2",
  edits: [
    {
      file: "core/idempotency/IdempotencyKey.ts",
      find: "request.keptMillis * 1_000)",
      replace: "request.keptMillis * 500)"
    }
  ]
}
