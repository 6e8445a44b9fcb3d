/**
 * Row A14: a defect in one key or one request must not stop the others, a process that dies of one is started again, and none may be
 * passed over. A defect that a plan put there at a fault point is the point of the plan, if it is the only one.
 */
import type { RequestPanicked } from "../api/ApiFacts.ts"
import type { EssentialDied } from "../node/NodeFacts.ts"
import type { ReconcilePanicked } from "../reconcile/ReconcileFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"

/** Told by whoever runs the process: its program has ended by itself. */
interface NodeExited {
  readonly _tag: "NodeExited"
  readonly outcome: "success" | "interrupted" | "failure"
  readonly errors: ReadonlyArray<string>
}

// covers A14
export const noPanic: Invariant<null> = {
  name: "no-panic",
  states: "No reconcile, no request and no process ends in a defect (A14).",
  initial: () => null,
  step: (state, { fact, node }) => {
    switch (fact._tag) {
      case "ReconcilePanicked": {
        const { errors, key } = fact as ReconcilePanicked
        return isInjected(errors) ? state : new Violation(`the reconcile of ${key} panicked`, { key, errors })
      }
      case "RequestPanicked": {
        const { errors, method, path } = fact as RequestPanicked
        return isInjected(errors) ? state : new Violation(`${method} ${path} panicked`, { node, errors })
      }
      case "EssentialDied": {
        const { errors, label } = fact as EssentialDied
        return isInjected(errors) ? state : new Violation(`${node} died with ${label}`, { node, label, errors })
      }
      case "NodeExited": {
        const { errors, outcome } = fact as NodeExited
        if (outcome !== "failure" || isInjected(errors)) return state
        return new Violation(`the program of ${node} died`, { node, errors })
      }
      default:
        return state
    }
  }
}

const isInjected = (errors: ReadonlyArray<string>): boolean =>
  errors.length > 0 && errors.every((error) => error.startsWith("InjectedFailure: "))
