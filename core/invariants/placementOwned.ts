/**
 * I9 where agents run the instances: an instance runs only where it is placed, in one place at a time, and its placement stays for as
 * long as anything of it is there. Says nothing of providers that need no placements.
 */
import type { AgentForgetAsked } from "../api/ApiFacts.ts"
import type { Envelope } from "../facts/Envelope.ts"
import { placements } from "../placement/Placement.ts"
import type { ProviderFact } from "../ports/Provider.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

interface State {
  /** The agent of each placement. */
  readonly agents: Map<string, string>
  /** Resources that exist, by uid. */
  readonly resources: Map<string, string>
  /** Agents whose hosts somebody said to be gone: what is left there is theirs to answer for. */
  readonly forgotten: Set<string>
  isPlacing: boolean
}

export const placementOwned: Invariant<State> = {
  name: "placement-owned",
  states:
    "An instance runs only where it is placed, in one place at a time, and its placement outlives all of it (I9).",
  initial: () => ({ agents: new Map(), resources: new Map(), forgotten: new Set(), isPlacing: false }),
  step: (state, envelope) => {
    if (envelope.fact._tag === "Committed") return judgeRows(state, envelope)
    const fact = envelope.fact as ProviderFact | AgentForgetAsked
    if (fact._tag === "AgentForgetAsked") {
      state.forgotten.add(fact.agent)
      return state
    }
    if (fact._tag === "ProviderStopped") {
      if (state.resources.get(fact.uid) === fact.resource) state.resources.delete(fact.uid)
      return state
    }
    if (fact._tag !== "ProviderStarted" || !state.isPlacing) return state
    const { resource, uid } = fact
    const other = state.resources.get(uid)
    if (other !== undefined) {
      return new Violation(`${uid} runs as ${resource} while it runs as ${other}`, { uid, resource, other })
    }
    const agent = state.agents.get(uid)
    if (agent === undefined || !resource.startsWith(`${agent}/`)) {
      return new Violation(`${uid} runs as ${resource}, where it is not placed`, {
        uid,
        resource,
        agent: agent ?? null
      })
    }
    state.resources.set(uid, resource)
    return state
  }
}

function judgeRows(state: State, envelope: Envelope): State | Violation {
  for (const { key, before, after } of rowChanges(envelope, placements)) {
    state.isPlacing = true
    if (after !== null) {
      if (before !== null && before.agent !== after.agent) {
        return new Violation(`the placement of ${key} went from ${before.agent} to ${after.agent}`, { before, after })
      }
      state.agents.set(key, after.agent)
      continue
    }
    const resource = state.resources.get(key)
    const agent = state.agents.get(key)
    if (resource !== undefined && !state.forgotten.has(agent ?? "")) {
      return new Violation(`the placement of ${key} left before ${resource} was gone`, { uid: key, resource })
    }
    state.agents.delete(key)
  }
  return state
}
