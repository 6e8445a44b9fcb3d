import type { Mutant } from "./Mutant.ts"

// covers A11
export const removedUnconfirmed: Mutant = {
  name: "removed-unconfirmed",
  why: "The row leaves as soon as its resource was asked to stop, and nobody looks whether it did.",
  incident: "table A, A11; finalizers dropped when the call has returned",
  edits: [
    {
      file: "core/instance/InstancePlan.ts",
      find: '  if (seen.observation === undefined) return observe\n  return seen.observation === "Absent" ? whenGone : waiting(sinceMicros)',
      replace:
        '  if (seen.observation === undefined) return whenGone._tag === "Remove" ? whenGone : observe\n  return seen.observation === "Absent" ? whenGone : waiting(sinceMicros)'
    }
  ]
}
