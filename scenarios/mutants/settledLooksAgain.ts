import type { Mutant } from "./Mutant.ts"

export const settledLooksAgain: Mutant = {
  name: "settled-looks-again",
  why: "A fleet that is as it is wanted is written once a second, because writing it makes it due again.",
  incident: "controllers that update the status of what they watch, and are woken by their own update",
  edits: [
    {
      file: "core/fleet/Fleet.ts",
      find: "dueAt: read.deletionRequestedAt === null ? null : add(clockTimestamp, reconcileProgressMillis * 1_000)",
      replace: "dueAt: add(clockTimestamp, reconcileProgressMillis > 0 ? 1_000_000 : 0)"
    }
  ]
}
