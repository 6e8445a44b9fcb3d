/**
 * M1: an incarnation is given out once, so that `name/incarnation` names one process for all time. Leases, claims and fences are
 * only as good as the name of their holder. Therefore judged by the rows and by who really speaks, also across the deletion of a row.
 */
import type { Envelope } from "../facts/Envelope.ts"
import { members } from "../member/Member.ts"
import type { Joined } from "../member/MemberFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

interface State {
  /** The highest incarnation that was given out, by member. */
  readonly given: Map<string, number>
  /** Who joined under a name and incarnation: node and its incarnation. */
  readonly processes: Map<string, string>
}

export const memberIncarnations: Invariant<State> = {
  name: "member-incarnations",
  states: "A member's incarnation rises with each join, and names one process for all time (M1).",
  initial: () => ({ given: new Map(), processes: new Map() }),
  step: (state, envelope) => {
    for (const { key, before, after } of rowChanges(envelope, members)) {
      if (after === null) continue
      const isJoin = before === null || after.joinedAt !== before.joinedAt || after.address !== before.address
      const given = state.given.get(key) ?? 0
      if (isJoin ? after.incarnation <= given : after.incarnation !== before.incarnation) {
        return new Violation(`member ${key}: its incarnation went from ${given} to ${after.incarnation}`, {
          before,
          after
        })
      }
      state.given.set(key, after.incarnation)
    }
    return envelope.fact._tag === "Joined" ? join(state, envelope.fact as Joined, envelope) : state
  }
}

function join(state: State, { id, incarnation }: Joined, envelope: Envelope): State | Violation {
  const holder = `${id}/${incarnation}`
  const process = `${envelope.node}/${envelope.incarnation}`
  const other = state.processes.get(holder)
  if (other !== undefined && other !== process) {
    return new Violation(`two processes act as ${holder}`, { holder, processes: [other, process] })
  }
  state.processes.set(holder, process)
  return state
}
