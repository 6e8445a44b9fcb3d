/**
 * I15 for what is managed, and row A12: an instance is given up only after the whole time of silence by the store's clock, and never
 * when so many are late together that the cause must be common (kubernetes #24200).
 */
import { type Instance, instances } from "../instance/Instance.ts"
import { brakeCountMin, brakeRatio, heartbeatLateMillis, heartbeatStaleMillis } from "../Limits.ts"
import * as DatabaseClock from "./DatabaseClock.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

/** More than the longest transaction: it counts at one moment, gives up at another, and commits at a third. */
const transactionMicrosMax = 5_000_000

interface State {
  readonly clock: DatabaseClock.DatabaseClock
  /** Those that are RUNNING and wanted, by uid. */
  readonly running: Map<string, Instance>
  /** When those that were RUNNING left that state, by uid, in order. */
  readonly left: Map<string, number>
}

// covers A12
export const heartbeatBrake: Invariant<State> = {
  name: "heartbeat-brake",
  states: "Given up only after the whole silence, and never many at once (A12, I15).",
  initial: () => ({ clock: DatabaseClock.make(), running: new Map(), left: new Map() }),
  step: (state, envelope) => {
    const { clock, running, left } = state
    DatabaseClock.follow(clock, envelope)
    const { atMicros } = envelope
    const changes = rowChanges(envelope, instances)
    const given = changes.filter(
      ({ before, after }) => before?.state === "RUNNING" && after?.reason === "HeartbeatStale"
    )
    for (const { key, before, after } of given) {
      const silentMicros = after!.updatedAt - before!.lastHeartbeatAt!
      if (silentMicros >= heartbeatStaleMillis * 1_000) continue
      return new Violation(`instance ${key} was given up though it was heard`, { uid: key, silentMicros })
    }
    // All are late at once when the store's clock is set forward; the count may have been taken before.
    if (given.length > 0 && atMicros - DatabaseClock.forwardAtMicros(clock) > transactionMicrosMax) {
      for (const [uid, leftAtMicros] of left) if (leftAtMicros < atMicros - transactionMicrosMax) left.delete(uid)
      const lateBefore = given[0]!.after!.updatedAt - heartbeatLateMillis * 1_000 - transactionMicrosMax
      const late = [...running.values()].filter((instance) => instance.lastHeartbeatAt! <= lateBefore)
      const counts = { late: late.length, running: running.size + left.size }
      if (isCommon(counts)) {
        return new Violation("instances were given up while many were late together", {
          ...counts,
          given: given.map(({ key }) => key)
        })
      }
    }
    for (const { key, after } of changes) {
      if (after?.state === "RUNNING" && after.deletionRequestedAt === null) {
        running.set(key, after)
        left.delete(key)
      } else if (running.delete(key)) left.set(key, atMicros)
    }
    return state
  }
}

/** Late for so long, of so many, that every count in the transaction must have seen it. */
function isCommon(counts: { readonly late: number; readonly running: number }): boolean {
  return counts.late >= brakeCountMin && counts.late > brakeRatio * counts.running
}
