import type { Mutant } from "./Mutant.ts"

// covers A11
export const orphansLeft: Mutant = {
  name: "orphans-left",
  why: "Nobody looks for resources without a row: a provider that says gone is believed for ever.",
  incident: "table A, A11; crossplane #3037: leaked resource",
  edits: [
    {
      file: "core/instance/OrphanSweep.ts",
      find: "    if (listed.length === 0) return",
      replace: "    if (listed.length >= 0) return"
    }
  ]
}
