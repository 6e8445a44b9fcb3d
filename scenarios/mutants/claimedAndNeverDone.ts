import type { Mutant } from "./Mutant.ts"

export const claimedAndNeverDone: Mutant = {
  name: "claimed-and-never-done",
  why: "A request is claimed and then waited for, also by the one who claimed it: every write is answered with not now, for ever.",
  incident: "an in-flight marker that its own writer takes for somebody else's",
  edits: [
    {
      file: "core/idempotency/execute.ts",
      find: "    return claimed === undefined ? yield* settled : yield* perform(claimed)",
      replace: "    return claimed === undefined || claimed.epoch > 0 ? yield* settled : yield* perform(claimed)"
    }
  ]
}
