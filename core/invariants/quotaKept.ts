/**
 * Quotas: no commit that adds to what a project wants leaves it wanting more than its quota allows. One that was lowered below what is used,
 * or whose first limit came later, takes nothing away.
 */
import { fleets } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import { type Quota, quotas } from "../quota/Quota.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

interface Wanted {
  readonly desired: Map<string, number>
  readonly alone: Set<string>
}

interface State {
  readonly quotas: Map<string, Quota>
  readonly wanted: Map<string, Wanted>
}

export const quotaKept: Invariant<State> = {
  name: "quota-kept",
  states: "Nothing that is added leaves a project wanting more than its quota allows, whoever adds at the same time.",
  initial: () => ({ quotas: new Map(), wanted: new Map() }),
  step: (state, envelope) => {
    const grown = new Map<string, { fleets: number; instances: number }>()
    const add = (project: string, fleetCount: number, instanceCount: number): void => {
      const before = grown.get(project) ?? { fleets: 0, instances: 0 }
      grown.set(project, { fleets: before.fleets + fleetCount, instances: before.instances + instanceCount })
    }
    for (const { after, before, key } of rowChanges(envelope, fleets)) {
      const { project } = (after ?? before)!
      const { desired } = wantedOf(state, project)
      if (after === null) desired.delete(key)
      else desired.set(key, after.desired)
      add(project, (after === null ? 0 : 1) - (before === null ? 0 : 1), (after?.desired ?? 0) - (before?.desired ?? 0))
    }
    for (const { after, before, key } of rowChanges(envelope, instances)) {
      const { fleet, project } = (after ?? before)!
      if (fleet !== null) continue
      const { alone } = wantedOf(state, project)
      const was = alone.has(key)
      if (after !== null && after.deletionRequestedAt === null) alone.add(key)
      else alone.delete(key)
      add(project, 0, Number(alone.has(key)) - Number(was))
    }
    for (const [project, more] of grown) {
      const quota = state.quotas.get(project)
      if (quota === undefined) continue
      const { alone, desired } = wantedOf(state, project)
      const total = [...desired.values()].reduce((sum, each) => sum + each, alone.size)
      const isOver =
        (more.fleets > 0 && quota.fleetsMax !== null && desired.size > quota.fleetsMax) ||
        (more.instances > 0 && quota.instancesMax !== null && total > quota.instancesMax)
      if (!isOver) continue
      return new Violation(`project ${project} wants more than its quota allows`, {
        fleets: desired.size,
        instances: total,
        quota,
        label: commitOf(envelope)?.label ?? ""
      })
    }
    for (const { after, key } of rowChanges(envelope, quotas)) {
      if (after === null) state.quotas.delete(key)
      else state.quotas.set(key, after)
    }
    return state
  }
}

function wantedOf({ wanted }: State, project: string): Wanted {
  const known = wanted.get(project)
  if (known !== undefined) return known
  const fresh = { desired: new Map<string, number>(), alone: new Set<string>() }
  wanted.set(project, fresh)
  return fresh
}
