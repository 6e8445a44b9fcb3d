import type { Mutant } from "./Mutant.ts"

// covers A11
export const removedWithoutStopping: Mutant = {
  name: "removed-without-stopping",
  why: "The row leaves without anybody asking the resource to stop.",
  incident: "table A, A11; crossplane #3037: leaked resource",
  edits: [
    {
      file: "core/instance/InstancePlan.ts",
      find: "  if (!seen.isStopAsked) return stop\n",
      replace: "  if (!seen.isStopAsked) return whenGone.to === undefined ? whenGone : stop\n"
    }
  ]
}
