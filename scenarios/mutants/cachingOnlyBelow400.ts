import type { Mutant } from "./Mutant.ts"

// covers A4
export const cachingOnlyBelow400: Mutant = {
  name: "caching-only-below-400",
  why: "Refusals are not stored with their key: the request runs again and may be answered differently.",
  incident: "table A, A4: cache only below 400",
  edits: [
    {
      file: "core/idempotency/execute.ts",
      find: "const finished = yield* IdempotencyKey.finish(tx, claimed, answer)",
      replace: "const finished = answer.status < 400 ? yield* IdempotencyKey.finish(tx, claimed, answer) : claimed"
    }
  ]
}
