import type { Mutant } from "./Mutant.ts"

// covers A13
export const dueUnheard: Mutant = {
  name: "due-unheard",
  why: "Whoever works does not hear that something is due, and finds it when he looks next.",
  incident: "table A, A13; a control plane whose every step waits for a poll takes seconds where it could take none",
  edits: [
    {
      file: "core/reconcile/Reconciler.ts",
      find: "Queue.take(hints)",
      replace: "Effect.never"
    }
  ]
}
