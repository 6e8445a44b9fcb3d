import type { Mutant } from "./Mutant.ts"

// covers A2
export const idempotencyRecordApart: Mutant = {
  name: "idempotency-record-apart",
  why: "The record of the answer is committed in a transaction of its own, before that of the effect.",
  incident: "brandur.org/idempotency-keys; control-plane.md section 4, row 10",
  edits: [
    {
      file: "core/idempotency/execute.ts",
      find: "const finished = yield* IdempotencyKey.finish(tx, claimed, answer)",
      replace:
        'const finished = yield* transaction((other) => IdempotencyKey.finish(other, claimed, answer), { label: "idempotency/finish" })'
    }
  ]
}
