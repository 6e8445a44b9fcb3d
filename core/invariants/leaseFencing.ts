/**
 * I2, checkers 5.1.2 and 5.6.2: no commit under an epoch lower than the largest that its lease has had. By store order
 * alone, so that it never bends, whatever clocks do.
 */
import { leases } from "../ports/Storage.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { commitOf, rowChanges } from "./rowChanges.ts"

type State = Map<string, number>

// covers A20
export const leaseFencing: Invariant<State> = {
  name: "lease-fencing",
  states: "No write is accepted under an epoch lower than the largest seen for its lease (I2).",
  initial: () => new Map(),
  step: (largest, envelope) => {
    const commit = commitOf(envelope)
    if (commit === undefined) return largest
    for (const { lease, epoch } of commit.fences) {
      const seen = largest.get(lease) ?? 0
      if (epoch >= seen) continue
      return new Violation(`${commit.label} was committed under a deposed epoch of lease ${lease}`, {
        lease,
        epoch,
        largestEpoch: seen,
        label: commit.label,
        transactionId: commit.transactionId
      })
    }
    for (const { key, after } of rowChanges(envelope, leases)) {
      if (after !== null) largest.set(key, Math.max(after.epoch, largest.get(key) ?? 0))
    }
    return largest
  }
}
