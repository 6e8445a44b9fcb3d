import type { Mutant } from "./Mutant.ts"

export const pausedIsWorkedOn: Mutant = {
  name: "paused-is-worked-on",
  why: "The plan for a fleet does not ask whether it is paused: what fails is replaced, and what is wished meanwhile is done at once.",
  incident: "pause per resource; a flag that the API keeps and the reconciler does not read",
  runsIn: "fleet/paused",
  edits: [
    {
      file: "core/fleet/FleetPlan.ts",
      find: "isHeld(fleet) ? nothing : plan(fleet.desired, live, isGivenUp)",
      replace: "fleet.desired < 0 ? nothing : plan(fleet.desired, live, isGivenUp)"
    }
  ]
}
