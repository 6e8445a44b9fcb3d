/**
 * Rows A9 and A10, checkers 5.5.7: the number of live instances of a fleet. Whoever creates ends with at most as many as are desired,
 * whoever takes away by scaling ends with at least as many, whoever says that it is scaled has exactly as many, and no ordinal is alive
 * twice. A fleet leaves after the last of its instances, and none is created for one that is not there.
 */
import type { Envelope } from "../facts/Envelope.ts"
import { fleets } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

interface State {
  readonly desired: Map<string, number>
  /** By fleet: uid to ordinal of what is live. */
  readonly live: Map<string, Map<string, number | null>>
  /** By fleet: the uids of all its rows. */
  readonly rows: Map<string, Set<string>>
}

// covers A9, A10
export const fleetCount: Invariant<State> = {
  name: "fleet-count",
  states:
    "Scaling up never passes what is desired, scaling down never goes below it, no ordinal lives twice (A9, A10).",
  initial: () => ({ desired: new Map(), live: new Map(), rows: new Map() }),
  step: (state, envelope) => {
    for (const { key, after } of rowChanges(envelope, fleets)) {
      if (after === null) state.desired.delete(key)
      else state.desired.set(key, after.desired)
    }
    const { grown, shrunk } = apply(state, envelope)
    for (const { key, after } of rowChanges(envelope, fleets)) {
      if (after === null && (state.rows.get(key)?.size ?? 0) > 0) {
        return new Violation(`fleet ${key} left before its instances`, count(state, key, envelope))
      }
    }
    for (const fleet of grown) {
      if (!state.desired.has(fleet)) {
        return new Violation(
          `an instance was created for fleet ${fleet}, which is not there`,
          count(state, fleet, envelope)
        )
      }
    }
    for (const fleet of grown) {
      const live = state.live.get(fleet)!
      const desired = state.desired.get(fleet) ?? 0
      if (live.size > desired) {
        return new Violation(`fleet ${fleet} has more live instances than desired`, count(state, fleet, envelope))
      }
      if (new Set(live.values()).size < live.size) {
        return new Violation(`fleet ${fleet} has an ordinal twice`, count(state, fleet, envelope))
      }
    }
    for (const { key, before, after } of rowChanges(envelope, fleets)) {
      if (after === null || before === null || after.scaledGeneration === before.scaledGeneration) continue
      const live = state.live.get(key)?.size ?? 0
      if (after.scaledGeneration === after.generation && live !== after.desired) {
        return new Violation(`fleet ${key} is said to be scaled and is not`, count(state, key, envelope))
      }
    }
    // A client may take away what it likes; only those who hold a fence scale.
    const isScaling = (commitOf(envelope)?.fences.length ?? 0) > 0
    for (const fleet of isScaling ? shrunk : []) {
      if ((state.live.get(fleet)?.size ?? 0) < (state.desired.get(fleet) ?? 0)) {
        return new Violation(`fleet ${fleet} was scaled below what is desired`, count(state, fleet, envelope))
      }
    }
    return state
  }
}

function apply(state: State, envelope: Envelope) {
  const grown = new Set<string>()
  const shrunk = new Set<string>()
  for (const { key, before, after } of rowChanges(envelope, instances)) {
    const fleet = after?.fleet ?? before?.fleet ?? null
    if (fleet === null) continue
    const live = state.live.get(fleet) ?? new Map<string, number | null>()
    state.live.set(fleet, live)
    const rows = state.rows.get(fleet) ?? new Set<string>()
    state.rows.set(fleet, rows)
    if (after === null) rows.delete(key)
    else rows.add(key)
    if (after !== null && after.deletionRequestedAt === null) {
      if (!live.has(key)) grown.add(fleet)
      live.set(key, after.ordinal)
    } else if (live.delete(key)) shrunk.add(fleet)
  }
  return { grown, shrunk }
}

function count(state: State, fleet: string, envelope: Envelope) {
  const live = [...(state.live.get(fleet) ?? [])].map(([uid, ordinal]) => `${uid} (${ordinal})`)
  return { fleet, desired: state.desired.get(fleet) ?? 0, live, label: commitOf(envelope)?.label ?? "" }
}
