import type { Mutant } from "./Mutant.ts"

export const fleetLeavesFirst: Mutant = {
  name: "fleet-leaves-first",
  why: "A fleet that is deleted leaves as soon as its instances were told to go, and not when they are gone.",
  incident: "controllers that delete an owner before what it owns: what is left has nobody who looks after it",
  runsIn: "fleet/deleted-and-made-anew",
  edits: [
    {
      file: "core/fleet/FleetScaler.ts",
      find: "if (left.length > 0) return again",
      replace: "if (left.length > 1) return again"
    }
  ]
}
