import type { Mutant } from "./Mutant.ts"

export const acknowledgedAndNotDone: Mutant = {
  name: "acknowledged-and-not-done",
  why: "Scaling a fleet is answered as if it had been done, and the row stays as it was.",
  incident: "an answer that is built from the request instead of from what was stored",
  edits: [
    {
      file: "core/api/FleetsApi.ts",
      find: "const [changed] = yield* Fleet.setDesired(transaction, fleet, { desired: wanted.desired, isPaused })",
      replace: "const [changed] = [{ ...fleet, desired: wanted.desired, generation: fleet.generation + 1 }]"
    }
  ]
}
