/**
 * Checkers 5.1.3 and row A16: what only an owner may write is written under the fence of what it owns. The state of an instance under
 * its bucket group or the leader's lease, the scaling of a fleet under its bucket group, the counters under the leader's.
 */
import { leaseOf } from "../bucket/Bucket.ts"
import type { Committed } from "../facts/Envelope.ts"
import { fleets, fleetStatuses } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import * as Leader from "../Leader.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

// covers A16, A20
export const fencedWrites: Invariant<null> = {
  name: "fenced-writes",
  states: "What only an owner may write is committed under the fence of its lease (5.1.3, A16).",
  initial: () => null,
  step: (state, envelope) => {
    const commit = commitOf(envelope)
    if (commit === undefined) return state
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      if (before === null || before.state === after?.state) continue
      // By the silence of its agent or by its owner; a row leaves by its owner alone.
      const owners = after?.reason === "HeartbeatStale" ? [Leader.lease] : [leaseOf(before.bucketGroup)]
      if (!isFencedBy(commit, owners)) return unfenced(commit, `the state of instance ${key}`, owners)
    }
    for (const { key, before, after } of rowChanges(envelope, fleets)) {
      if (before === null || before.scaledGeneration === after?.scaledGeneration) continue
      const owners = [leaseOf(before.bucketGroup)]
      if (!isFencedBy(commit, owners)) return unfenced(commit, `the scaling of fleet ${key}`, owners)
    }
    for (const { key } of rowChanges(envelope, fleetStatuses)) {
      if (!isFencedBy(commit, [Leader.lease])) return unfenced(commit, `the counters of fleet ${key}`, [Leader.lease])
    }
    return state
  }
}

function isFencedBy(commit: Committed, leases: ReadonlyArray<string>): boolean {
  return commit.fences.some(({ lease }) => leases.includes(lease))
}

function unfenced(commit: Committed, what: string, owners: ReadonlyArray<string>): Violation {
  const { label, fences, transactionId } = commit
  return new Violation(`${label} wrote ${what} without the fence of ${owners.join(" or ")}`, {
    label,
    fences,
    owners,
    transactionId
  })
}
