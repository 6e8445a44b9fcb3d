/**
 * From the commit on that pauses a fleet nobody who scales it creates an instance for it or asks for the end of one,
 * until the commit that resumes it or asks for its end. What was on its way goes on, and people may end an instance by hand.
 */
import { fleets } from "../fleet/Fleet.ts"
import { isHeld } from "../fleet/FleetPlan.ts"
import { instances } from "../instance/Instance.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

export const pausedUntouched: Invariant<Set<string>> = {
  name: "paused-untouched",
  states: "For a fleet that is paused nothing is created, and nothing taken away.",
  initial: () => new Set(),
  step: (held, envelope) => {
    for (const { key, after } of rowChanges(envelope, fleets)) {
      if (after !== null && isHeld(after)) held.add(key)
      else held.delete(key)
    }
    // A client may take away what it likes; only those who hold a fence scale.
    if ((commitOf(envelope)?.fences.length ?? 0) === 0) return held
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      const fleet = after?.fleet ?? null
      if (after === null || fleet === null || !held.has(fleet)) continue
      const what =
        before === null
          ? "created"
          : before.deletionRequestedAt === null && after.deletionRequestedAt !== null
            ? "told to go"
            : undefined
      if (what !== undefined) {
        return new Violation(`an instance of fleet ${fleet} was ${what} while it is paused`, { instance: key, fleet })
      }
    }
    return held
  }
}
