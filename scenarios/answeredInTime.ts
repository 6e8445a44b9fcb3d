/** I10, as clients see it: when the faults are over every kind of request is answered again, reads and writes. */
import { type Invariant, Violation } from "../core/invariants/Invariant.ts"
import type { ClientGaveUp } from "./Clients.ts"

export const answeredInTime: Invariant<null> = {
  name: "answered-in-time",
  states: "when the faults are over, every request is answered in time (I10)",
  initial: () => null,
  step: (state, { fact, node }) => {
    if (fact._tag !== "ClientGaveUp") return state
    const { because, isHealed, what } = fact as ClientGaveUp
    return isHealed ? new Violation(`${node} was not answered: ${what}`, { node, what, because }) : state
  }
}
