import type { Mutant } from "./Mutant.ts"

export const givenUpIsReplaced: Mutant = {
  name: "given-up-is-replaced",
  why: "A fleet replaces what has failed however often it has, so that an image that cannot start is started for ever.",
  incident: "crash loops that fill a cluster: a controller that replaces what fails, and counts nothing",
  runsIn: "fleet/poisoned",
  edits: [
    {
      file: "core/fleet/FleetPlan.ts",
      find: '(member.state === "ERROR" && !isGivenUp(member))',
      replace: '(member.state === "ERROR" && !(isGivenUp(member) && desired < 0))'
    }
  ]
}
