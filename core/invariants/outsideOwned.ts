/**
 * I9, checkers 5.5.7: every outside resource belongs to a row. It comes into being only after its row has said so (CREATING is
 * stored first), under a uid that is never used again. Its row does not leave before it: not unless its owner, after having asked
 * for its end, was told by the provider that it is gone. What such an answer that was untrue leaves behind is an orphan; whether all
 * of them are gone again is a question of time, which `Convergence` asks when the faults are over.
 *
 * Absent on purpose: two resources of one uid. That a start is safe to repeat is the provider's promise, not of our making.
 */
import type { Committed, Envelope } from "../facts/Envelope.ts"
import { instances } from "../instance/Instance.ts"
import type { ProviderFact } from "../ports/Provider.ts"
import type { EffectStarted } from "../reconcile/ReconcileFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

/** An owner has asked for the end of a resource. */
interface Ending {
  /** Node and incarnation. */
  readonly process: string
  readonly lease: string
  readonly epoch: number
  /** What it was told last, since then, is that there is none. */
  isSaidAbsent: boolean
}

interface State {
  /** Uids that were ever CREATING. */
  readonly intended: Set<string>
  /** Resources that exist, by uid. */
  readonly resources: Map<string, string>
  /** By uid, while its row is there: the last of each process. */
  readonly endings: Map<string, Array<Ending>>
}

// covers A11
export const outsideOwned: Invariant<State> = {
  name: "outside-owned",
  states: "Every outside resource has a row, which was there first and stays until its end was confirmed (I9).",
  initial: () => ({ intended: new Set(), resources: new Map(), endings: new Map() }),
  step: (state, envelope) => {
    const process = `${envelope.node}/${envelope.incarnation}`
    const fact = envelope.fact as ProviderFact | EffectStarted | Committed
    switch (fact._tag) {
      case "Committed":
        return judgeRows(state, envelope)
      case "EffectStarted": {
        if (fact.effect !== "stop") return state
        const others = (state.endings.get(fact.uid) ?? []).filter((ending) => ending.process !== process)
        const { epoch, lease } = fact
        state.endings.set(fact.uid, [...others, { process, lease, epoch, isSaidAbsent: false }])
        return state
      }
      case "ProviderObserved": {
        const ending = state.endings.get(fact.uid)?.find((each) => each.process === process)
        if (ending !== undefined) ending.isSaidAbsent = fact.observation === "Absent"
        return state
      }
      case "ProviderStarted": {
        const { uid, resource } = fact
        if (!state.intended.has(uid))
          return new Violation(`resource ${resource} has no row that wanted it`, { uid, resource })
        state.resources.set(uid, resource)
        return state
      }
      case "ProviderStopped":
        if (state.resources.get(fact.uid) === fact.resource) state.resources.delete(fact.uid)
        return state
      default:
        return state
    }
  }
}

function judgeRows(state: State, envelope: Envelope): State | Violation {
  for (const { key, before, after } of rowChanges(envelope, instances)) {
    if (before === null && state.intended.has(key)) return new Violation(`uid ${key} was used twice`, { uid: key })
    if (after?.state === "CREATING") state.intended.add(key)
    if (after !== null) continue
    const resource = state.resources.get(key)
    const endings = state.endings.get(key) ?? []
    state.endings.delete(key)
    const fences = commitOf(envelope)?.fences ?? []
    const isConfirmed = endings.some(
      ({ epoch, isSaidAbsent, lease }) =>
        isSaidAbsent && fences.some((fence) => fence.lease === lease && fence.epoch === epoch)
    )
    if (resource !== undefined && !isConfirmed) {
      return new Violation(`the row of ${key} left before its resource was confirmed gone`, {
        uid: key,
        resource,
        endings,
        fences
      })
    }
  }
  return state
}
