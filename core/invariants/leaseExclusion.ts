/**
 * I1, checkers 5.1.6: at most one holder acts under a lease at a time, and none longer than its row lasts
 * (Gray and Cheriton 1989). By time, therefore it bends: for T after the database's clock was set forward nothing is
 * judged, as a row may have expired before its holder could know. Fencing, which never bends, is `lease-fencing`.
 *
 * Who acts is the process that says so, whatever it calls itself: a restarted one is another, also under the name of the old.
 */
import type { Envelope } from "../facts/Envelope.ts"
import type { ActingAs, StoppedActing } from "../lease/LeaseFacts.ts"
import { leases } from "../ports/Storage.ts"
import * as DatabaseClock from "./DatabaseClock.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

interface Claim {
  /** Node and incarnation. */
  readonly process: string
  readonly holder: string
  readonly epoch: number
  readonly untilMicros: number
}

interface State {
  readonly clock: DatabaseClock.DatabaseClock
  /** Who says that it acts, by lease. */
  readonly claims: Map<string, Claim>
  /** Until when each row lasts, in listener time, by lease. */
  readonly rows: Map<string, { readonly epoch: number; readonly untilMicros: number; readonly durationMicros: number }>
}

// covers A19
export const leaseExclusion: Invariant<State> = {
  name: "lease-exclusion",
  states: "At most one holder acts under a lease at a time, and none longer than its row lasts (I1).",
  initial: () => ({ clock: DatabaseClock.make(), claims: new Map(), rows: new Map() }),
  step: (state, envelope) => {
    DatabaseClock.follow(state.clock, envelope)
    switch (envelope.fact._tag) {
      case "Committed":
        noteRows(state, envelope)
        return state
      case "ActingAs":
        return claim(state, envelope.fact as ActingAs, envelope)
      case "StoppedActing": {
        const { lease, epoch } = envelope.fact as StoppedActing
        const own = state.claims.get(lease)
        if (own?.epoch === epoch && own.process === processOf(envelope)) state.claims.delete(lease)
        return state
      }
      default:
        return state
    }
  }
}

function noteRows(state: State, envelope: Envelope): void {
  for (const { key, after } of rowChanges(envelope, leases)) {
    if (after === null || after.releasedAt !== null) continue
    const durationMicros = after.expiresAt - after.renewedAt
    state.rows.set(key, { epoch: after.epoch, untilMicros: envelope.atMicros + durationMicros, durationMicros })
  }
}

function claim(state: State, fact: ActingAs, envelope: Envelope): State | Violation {
  const { atMicros } = envelope
  const process = processOf(envelope)
  const untilMicros = atMicros + fact.remainingMicros
  for (const { lease, epoch } of fact.grants) {
    const row = state.rows.get(lease)
    const isBent = row !== undefined && atMicros - DatabaseClock.forwardAtMicros(state.clock) <= row.durationMicros
    const other = state.claims.get(lease)
    if (!isBent && other !== undefined && other.process !== process && other.untilMicros > atMicros) {
      return new Violation(`${fact.holder} acts under lease ${lease} while ${other.holder} still does`, {
        lease,
        holder: fact.holder,
        process,
        epoch,
        other: other.holder,
        otherProcess: other.process,
        otherEpoch: other.epoch,
        otherUntilMicros: other.untilMicros,
        atMicros
      })
    }
    if (!isBent && row?.epoch === epoch && untilMicros > row.untilMicros) {
      return new Violation(`${fact.holder} means to act under lease ${lease} for longer than its row lasts`, {
        lease,
        holder: fact.holder,
        epoch,
        untilMicros,
        rowUntilMicros: row.untilMicros
      })
    }
    if (other === undefined || other.epoch <= epoch)
      state.claims.set(lease, { process, holder: fact.holder, epoch, untilMicros })
  }
  return state
}

function processOf({ incarnation, node }: Envelope): string {
  return `${node}/${incarnation}`
}
