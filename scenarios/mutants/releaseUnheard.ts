import type { Mutant } from "./Mutant.ts"

// covers A21
export const releaseUnheard: Mutant = {
  name: "release-unheard",
  why: "Whoever wants a lease does not hear that it was released, and waits for its next look.",
  incident: "table A, A21; client-go: a released lease is found by the next retry, up to two seconds later",
  edits: [
    {
      file: "core/lease/LeaseKeeper.ts",
      find: "Queue.take(hints)",
      replace: "Effect.never"
    }
  ]
}
