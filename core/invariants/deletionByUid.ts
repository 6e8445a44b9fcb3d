/**
 * I17, checkers 5.5.5: a deletion acts on the uid that was asked for. Without a fence only the uid named by a client
 * may go, however its bearer's name is used by now; and outside, only the uid is stopped that its owner works on.
 */
import type { DeletionAsked } from "../api/ApiFacts.ts"
import type { Committed, Envelope } from "../facts/Envelope.ts"
import { instances } from "../instance/Instance.ts"
import type { ProviderAsked } from "../ports/Provider.ts"
import type { EffectEnded, EffectStarted } from "../reconcile/ReconcileFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

interface State {
  /** Uids that clients named. */
  readonly asked: Set<string>
  /** What is being stopped, by node, incarnation and uid. */
  readonly stopping: Set<string>
}

// covers A11
export const deletionByUid: Invariant<State> = {
  name: "deletion-by-uid",
  states: "A deletion acts on the uid that was asked for, in the store and outside (I17).",
  initial: () => ({ asked: new Set(), stopping: new Set() }),
  step: (state, envelope) => {
    const fact = envelope.fact as DeletionAsked | EffectStarted | EffectEnded | ProviderAsked | Committed
    switch (fact._tag) {
      case "DeletionAsked":
        state.asked.add(fact.uid)
        return state
      case "EffectStarted":
        if (fact.effect === "stop") state.stopping.add(workOf(envelope, fact.uid))
        return state
      case "EffectEnded":
        state.stopping.delete(workOf(envelope, fact.uid))
        return state
      case "ProviderAsked":
        if (fact.call !== "stop" || state.stopping.has(workOf(envelope, fact.uid))) return state
        return new Violation(`${envelope.node} stopped the resource of ${fact.uid}, which it did not work on`, {
          uid: fact.uid,
          node: envelope.node,
          worksOn: [...state.stopping]
        })
      case "Committed":
        return judgeRows(state, envelope)
      default:
        return state
    }
  }
}

function judgeRows(state: State, envelope: Envelope): State | Violation {
  const commit = commitOf(envelope)
  if (commit === undefined || commit.fences.length > 0) return state
  for (const { key, before, after } of rowChanges(envelope, instances)) {
    if (before?.deletionRequestedAt !== null || after === null || after.deletionRequestedAt === null) continue
    if (state.asked.has(key)) continue
    return new Violation(`the end of instance ${key} was asked for by nobody`, {
      uid: key,
      name: after.name,
      label: commit.label
    })
  }
  return state
}

function workOf({ incarnation, node }: Envelope, uid: string): string {
  return `${node}/${incarnation} ${uid}`
}
