/**
 * Checkers 5.6.1 and 5.6.4: a row lies in the bucket that its key hashes to, wherever it is stored or read; and nodes that see the same
 * members give no group to two of them.
 */
import { placementOf } from "../bucket/Bucket.ts"
import { fleets } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import type { Assigned } from "../member/MemberFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

/** By version of the members: group to the member that says it should have it. */
type State = Map<string, Map<number, string>>

// covers A26
export const bucketPlacement: Invariant<State> = {
  name: "bucket-placement",
  states: "Rows lie in the bucket of their key; nodes that see the same members agree on the groups (5.6).",
  initial: () => new Map(),
  step: (state, envelope) => {
    if (envelope.fact._tag === "Assigned") return agree(state, envelope.fact as Assigned)
    const placed = [...rowChanges(envelope, instances), ...rowChanges(envelope, fleets)]
    for (const { key, before, after } of placed) {
      if (after === null || (before !== null && before.bucket === after.bucket)) continue
      const expected = placementOf(key)
      if (after.bucket === expected.bucket && after.bucketGroup === expected.bucketGroup) continue
      const { bucket, bucketGroup } = after
      return new Violation(`${key} lies in a bucket that is not its own`, { key, bucket, bucketGroup, expected })
    }
    return state
  }
}

function agree(state: State, { id, version, bucketGroups }: Assigned): State | Violation {
  const owners = state.get(version) ?? new Map<number, string>()
  state.set(version, owners)
  for (const group of bucketGroups) {
    const other = owners.get(group)
    if (other !== undefined && other !== id) {
      return new Violation(`${id} and ${other} see the same members and both want bucket group ${group}`, {
        version,
        group,
        members: [other, id]
      })
    }
    owners.set(group, id)
  }
  return state
}
