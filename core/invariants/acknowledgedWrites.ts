/**
 * I4: what was acknowledged is never lost or undone. A fleet leaves only after its deletion was asked for, and its generation never falls; an instance leaves only at the
 * end of its deletion, and a deletion, once asked for, is never taken back.
 */
import type { Fleet } from "../fleet/Fleet.ts"
import { fleets } from "../fleet/Fleet.ts"
import type { Instance } from "../instance/Instance.ts"
import { instances } from "../instance/Instance.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

export const acknowledgedWrites: Invariant<null> = {
  name: "acknowledged-writes",
  states: "An acknowledged write is never lost or undone (I4).",
  initial: () => null,
  step: (state, envelope) => {
    for (const { key, before, after } of rowChanges(envelope, fleets)) {
      const problem = before === null ? undefined : judgeFleet(before, after)
      if (problem !== undefined) return new Violation(`fleet ${key}: ${problem}`, { before, after })
    }
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      const problem = before === null ? undefined : judgeInstance(before, after)
      if (problem !== undefined) return new Violation(`instance ${key}: ${problem}`, { before, after })
    }
    return state
  }
}

function judgeFleet(before: Fleet, after: Fleet | null): string | undefined {
  if (after === null)
    return before.deletionRequestedAt === null ? "it left, and nobody had asked for its end" : undefined
  if (before.deletionRequestedAt !== null && after.deletionRequestedAt === null) return "its deletion was taken back"
  if (after.deletionRequestedAt !== null && after.desired > 0)
    return "it is to leave, and yet something is desired of it"
  if (after.generation < before.generation) return "its generation fell"
  if (after.desired !== before.desired && after.generation === before.generation) {
    return "what is desired changed without a new generation"
  }
  if (after.scaledGeneration < before.scaledGeneration) return "it is scaled for an older generation than before"
  return after.scaledGeneration > after.generation ? "it is scaled for a generation that is not yet wanted" : undefined
}

function judgeInstance(before: Instance, after: Instance | null): string | undefined {
  if (after === null) return before.state === "DELETING" ? undefined : `it left from ${before.state}`
  const isTakenBack = before.deletionRequestedAt !== null && after.deletionRequestedAt === null
  return isTakenBack ? "its deletion was taken back" : undefined
}
