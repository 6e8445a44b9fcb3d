/** I16 for those who come: a node begins no more sessions and streams a second, and holds no more, than its limits say (incident 28). */
import type { HandshakeAdmitted } from "../session/SessionFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"

const windowMicros = 1_000_000

/** Of each process of a node, when it admitted whom: the oldest first. */
type State = Map<string, Array<number>>

export const handshakesBounded: Invariant<State> = {
  name: "handshakes-bounded",
  states:
    "A node takes no more handshakes a second, and holds no more sessions, than its limits say (I16, incident 28).",
  initial: () => new Map(),
  step: (state, { atMicros, fact, incarnation, node }) => {
    if (fact._tag !== "HandshakeAdmitted") return state
    const { burst, held, perSecond, sessionsMax } = fact as HandshakeAdmitted
    const process = `${node}/${incarnation}`
    const times = state.get(process) ?? []
    state.set(process, times)
    times.push(atMicros)
    while (times[0]! <= atMicros - windowMicros) times.shift()
    // The clock of a node may be fast, by as much as it may drift.
    if (times.length > (perSecond + burst) * 1.06 + 1) {
      return new Violation(`${node} took ${times.length} handshakes within a second`, { perSecond, burst })
    }
    return held > sessionsMax ? new Violation(`${node} holds ${held} sessions`, { sessionsMax }) : state
  }
}
