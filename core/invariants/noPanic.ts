/** Row A14: a defect in one key must not stop the others, and must not be passed over either. */
import type { ReconcilePanicked } from "../reconcile/ReconcileFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"

export const noPanic: Invariant<null> = {
  name: "no-panic",
  states: "No reconcile ends in a defect (A14).",
  initial: () => null,
  step: (state, { fact }) => {
    if (fact._tag !== "ReconcilePanicked") return state
    const { key, detail } = fact as ReconcilePanicked
    // A defect that a plan put there at a fault point is the point of the plan.
    if (detail.startsWith("InjectedFailure")) return state
    return new Violation(`the reconcile of ${key} panicked`, { key, detail })
  }
}
