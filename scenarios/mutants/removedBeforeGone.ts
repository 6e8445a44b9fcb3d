import type { Mutant } from "./Mutant.ts"

export const removedBeforeGone: Mutant = {
  name: "removed-before-gone",
  why: "The row leaves as soon as the stop was asked for; nobody looks whether the resource is gone.",
  incident: "table A, A11; crossplane #3037",
  edits: [
    {
      file: "core/instance/InstancePlan.ts",
      find: '  return seen.observation === "Absent" ? whenGone : wait\n',
      replace: "  return whenGone\n"
    }
  ]
}
