/** For stories in which nothing fails: nobody asks in vain. */
import { type Invariant, Violation } from "../core/invariants/Invariant.ts"
import type { ClientGaveUp } from "./Clients.ts"

export const answeredAlways: Invariant<null> = {
  name: "answered-always",
  states: "while nothing fails, nobody gives up",
  initial: () => null,
  step: (state, { fact, node }) => {
    if (fact._tag !== "ClientGaveUp") return state
    const { because, what } = fact as ClientGaveUp
    return new Violation(`${node} gave up: ${what}`, { node, what, because })
  }
}
