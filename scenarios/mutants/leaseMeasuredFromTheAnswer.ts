import type { Mutant } from "./Mutant.ts"

// covers A19
export const leaseMeasuredFromTheAnswer: Mutant = {
  name: "lease-measured-from-the-answer",
  why: "A holder counts from the answer to its renewal instead of from its sending.",
  incident: "openraft: leader lease measured from the response",
  edits: [
    {
      file: "core/lease/LeaseKeeper.ts",
      find: "        lease.sentAtMicros = sentAtMicros\n",
      replace: "        lease.sentAtMicros = yield* monotonicMicros\n"
    }
  ]
}
