import type { Mutant } from "./Mutant.ts"

export const settledLooksAgain: Mutant = {
  name: "settled-looks-again",
  why: "A fleet that is as it is wanted is written once a second, because writing it makes it due again.",
  incident: "controllers that update the status of what they watch, and are woken by their own update",
  edits: [
    {
      file: "core/fleet/Fleet.ts",
      find: "      updatedAt: clockTimestamp,\n      dueAt: null\n",
      replace: "      updatedAt: clockTimestamp,\n      dueAt: add(clockTimestamp, 1_000_000)\n"
    }
  ]
}
