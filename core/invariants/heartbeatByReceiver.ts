/**
 * Row A12: the time of a heartbeat is the store's time of its receipt, never the sender's. Judged against the store's clock as its
 * lease rows show it; a heartbeat that looks wrong is judged when the next lease row shows that it was not the store's clock that was
 * set in between.
 */
import { type Instance, instances } from "../instance/Instance.ts"
import * as DatabaseClock from "./DatabaseClock.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

/** More than the longest transaction. */
const toleranceMicros = 5_000_000

/** After the store's clock was seen to jump forward it may jump back, unseen until leases are renewed again: nothing is judged so long. */
const jumpMicros = 10_000_000

interface Suspect {
  readonly uid: string
  readonly heardAt: number
  readonly differsMicros: number
  readonly offsetMicros: number
}

interface State {
  readonly clock: DatabaseClock.DatabaseClock
  suspect: Suspect | undefined
}

export const heartbeatByReceiver: Invariant<State> = {
  name: "heartbeat-by-receiver",
  states: "The time of a heartbeat is the store's time of its receipt (A12).",
  initial: () => ({ clock: DatabaseClock.make(), suspect: undefined }),
  step: (state, envelope) => {
    const sample = DatabaseClock.follow(state.clock, envelope)
    if (sample !== undefined && state.suspect !== undefined) {
      const { suspect } = state
      state.suspect = undefined
      if (Math.abs(sample - suspect.offsetMicros) < toleranceMicros / 2) {
        return new Violation(`the heartbeat of instance ${suspect.uid} has not the store's time`, { ...suspect })
      }
    }
    const offsetMicros = DatabaseClock.offsetMicros(state.clock)
    if (offsetMicros === undefined) return state
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      const heardAt = heardIn(before, after)
      if (heardAt === undefined) continue
      const differsMicros = heardAt - (envelope.atMicros + offsetMicros)
      if (envelope.atMicros - state.clock.jumpedAtMicros < jumpMicros) continue
      if (Math.abs(differsMicros) > toleranceMicros)
        state.suspect ??= { uid: key, heardAt, differsMicros, offsetMicros }
    }
    return state
  }
}

function heardIn(before: Instance | null, after: Instance | null): number | undefined {
  if (after === null || after.lastHeartbeatAt === null || after.lastHeartbeatAt === before?.lastHeartbeatAt)
    return undefined
  return after.lastHeartbeatAt
}
