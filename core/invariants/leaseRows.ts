/**
 * Checkers 5.1.1, 5.1.4, 5.1.5, 5.1.8: what may happen to the row of a lease. An epoch is given once and rises; a row is taken over only
 * when it has expired by the store's time; a renewal changes neither holder nor epoch and revives nothing; a release comes only after
 * its holder has stopped.
 */
import type { Envelope } from "../facts/Envelope.ts"
import type { ActingAs, StoppedActing } from "../lease/LeaseFacts.ts"
import type { Joined } from "../member/MemberFacts.ts"
import { leases, type LeaseRow } from "../ports/Storage.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges, type TypedChange } from "./rowChanges.ts"

interface State {
  /** Claims that are open: lease and epoch, to when they end by themselves. */
  readonly acting: Map<string, number>
  readonly epochs: Map<string, number>
  /** Node and incarnation of the last process that joined under the name of a holder: two of them are not one because they share it. */
  readonly processes: Map<string, string>
  /** Whose process acquired it last, by lease. */
  readonly owners: Map<string, string>
}

// covers A18
export const leaseRows: Invariant<State> = {
  name: "lease-rows",
  states:
    "Epochs strictly increase, renewals change no epoch, take-overs wait for expiry, only the owner releases (5.1).",
  initial: () => ({ acting: new Map(), epochs: new Map(), processes: new Map(), owners: new Map() }),
  step: (state, envelope) => {
    const { fact, atMicros } = envelope
    if (fact._tag === "ActingAs") {
      const { grants, remainingMicros } = fact as ActingAs
      for (const { lease, epoch } of grants) state.acting.set(`${lease}@${epoch}`, atMicros + remainingMicros)
    }
    if (fact._tag === "Joined") {
      const { id, incarnation } = fact as Joined
      state.processes.set(`${id}/${incarnation}`, `${envelope.node}/${envelope.incarnation}`)
    }
    if (fact._tag === "StoppedActing") {
      const { lease, epoch } = fact as StoppedActing
      state.acting.delete(`${lease}@${epoch}`)
    }
    for (const change of rowChanges(envelope, leases)) {
      const problem = judge(state, change, envelope)
      if (problem !== undefined) return new Violation(`lease ${change.key}: ${problem}`, { ...change })
      const { epoch, holder } = change.after!
      if (epoch !== change.before?.epoch) state.owners.set(change.key, processOf(state, holder))
      state.epochs.set(change.key, epoch)
    }
    return state
  }
}

function judge(state: State, change: TypedChange<LeaseRow>, envelope: Envelope): string | undefined {
  const { key, before, after } = change
  if (after === null) return "its row was deleted, so that its epochs would start again"
  const epoch = state.epochs.get(key) ?? before?.epoch ?? 0
  if (before === null || after.epoch !== before.epoch) return judgeAcquisition(state, change, epoch)
  if (after.holder !== before.holder) return "its holder changed and its epoch did not"
  if (after.acquiredAt !== before.acquiredAt) return "it was acquired again under the same epoch"
  if (after.releasedAt !== null && before.releasedAt === null) {
    const untilMicros = state.acting.get(`${key}@${after.epoch}`)
    return untilMicros !== undefined && untilMicros > envelope.atMicros
      ? "it was released while its holder still acts"
      : undefined
  }
  if (after.expiresAt > before.expiresAt && before.expiresAt <= after.renewedAt)
    return "it was renewed after it had expired"
  return undefined
}

function judgeAcquisition(state: State, change: TypedChange<LeaseRow>, epoch: number): string | undefined {
  const before = change.before
  const after = change.after!
  if (after.epoch <= epoch) return `its epoch went from ${epoch} to ${after.epoch}`
  // Who lost the answer to an earlier acquisition may acquire again.
  if (before === null || state.owners.get(change.key) === processOf(state, after.holder)) return undefined
  return before.expiresAt > after.acquiredAt ? "it was taken over before it had expired" : undefined
}

function processOf(state: State, holder: string): string {
  return state.processes.get(holder) ?? holder
}
