/**
 * How an instance failed is told of that instance, and of the agent that ran it: the simulated hosts name the resource that failed, and what is stored
 * of an instance names none but its own.
 */
import { instances } from "../core/instance/Instance.ts"
import { type Invariant, Violation } from "../core/invariants/Invariant.ts"
import { rowChanges } from "../core/invariants/rowChanges.ts"
import type { ProviderFact } from "../core/ports/Provider.ts"

interface State {
  /** By uid, the names of what was ever started for it. */
  readonly resources: Map<string, ReadonlyArray<string>>
}

const how = / on agent (?<agent>\S+): exited with code 1: (?<resource>\S+)$/

export const failureTold: Invariant<State> = {
  name: "failure-told",
  states: "What is stored of how an instance failed was said by its agent, of it.",
  initial: () => ({ resources: new Map() }),
  step: (state, envelope) => {
    const fact = envelope.fact as ProviderFact
    if (fact._tag === "ProviderStarted") {
      state.resources.set(fact.uid, [...(state.resources.get(fact.uid) ?? []), fact.resource])
      return state
    }
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      // A new instance inherits why the one before it failed.
      if (before === null || after === null || after.failure === before.failure) continue
      const told = after.failure === null ? undefined : how.exec(after.failure)?.groups
      if (told === undefined) continue
      const { agent, resource } = told as { readonly agent: string; readonly resource: string }
      if (state.resources.get(key)?.includes(resource) !== true || !resource.startsWith(`${agent}/`)) {
        return new Violation(`instance ${key}: ${after.failure}, which is not of it`, { before, after })
      }
    }
    return state
  }
}
