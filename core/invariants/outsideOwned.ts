/**
 * I9, checkers 5.5.7: every outside resource belongs to exactly one row. It comes into being only after its row has said so
 * (CREATING is stored first), under a uid that is never used for two at once. Whether all without a row are gone
 * again is a question of time, which `Convergence` asks when the faults are over.
 */
import { instances } from "../instance/Instance.ts"
import type { ProviderFact } from "../ports/Provider.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

interface State {
  /** Uids that were ever CREATING. */
  readonly intended: Set<string>
  /** Resources that exist, by uid. */
  readonly resources: Map<string, string>
}

export const outsideOwned: Invariant<State> = {
  name: "outside-owned",
  states: "Every outside resource belongs to exactly one row, which was there first (I9).",
  initial: () => ({ intended: new Set(), resources: new Map() }),
  step: (state, envelope) => {
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      if (before === null && state.intended.has(key)) {
        return new Violation(`uid ${key} was used twice`, { uid: key })
      }
      if (after?.state === "CREATING") state.intended.add(key)
    }
    const fact = envelope.fact as ProviderFact
    if (fact._tag === "ProviderStarted") {
      const { uid, resource } = fact
      if (!state.intended.has(uid))
        return new Violation(`resource ${resource} has no row that wanted it`, { uid, resource })
      const other = state.resources.get(uid)
      if (other !== undefined)
        return new Violation(`uid ${uid} has two resources`, { uid, resources: [other, resource] })
      state.resources.set(uid, resource)
    }
    if (fact._tag === "ProviderStopped" && state.resources.get(fact.uid) === fact.resource) {
      state.resources.delete(fact.uid)
    }
    return state
  }
}
