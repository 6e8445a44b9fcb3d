import type { Mutant } from "./Mutant.ts"

export const effectBeforeIntent: Mutant = {
  name: "effect-before-intent",
  why: "The resource is started before the row says so.",
  incident: "crossplane-runtime #283: created, and its name not stored",
  edits: [
    {
      file: "core/instance/InstancePlan.ts",
      find: '    case "PENDING":\n      return startAgain(instance, nowMicros, policy)',
      replace:
        '    case "PENDING":\n      return whileCreating({ ...seen, observation: seen.observation ?? "Absent" }, 0)'
    }
  ]
}
