/**
 * Row A12: the time of a heartbeat is the store's time of its receipt, never the sender's. Judged where the listener is told how the
 * store's clock was set.
 */
import { type Instance, instances } from "../instance/Instance.ts"
import * as DatabaseClock from "./DatabaseClock.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

/** More than the longest transaction. */
const transactionMicrosMax = 5_000_000

// covers A12
export const heartbeatByReceiver: Invariant<DatabaseClock.DatabaseClock> = {
  name: "heartbeat-by-receiver",
  states: "The time of a heartbeat is the store's time of its receipt (A12).",
  initial: DatabaseClock.make,
  step: (clock, envelope) => {
    DatabaseClock.follow(clock, envelope)
    const { atMicros } = envelope
    for (const { key, before, after } of rowChanges(envelope, instances)) {
      const heardAtMicros = heardIn(before, after)
      if (heardAtMicros === undefined) continue
      const readings = DatabaseClock.readingsMicros(clock, atMicros - transactionMicrosMax, atMicros)
      if (readings === undefined) continue
      // Readings are whole microseconds.
      if (heardAtMicros < readings.least - 1 || heardAtMicros > readings.most + 1) {
        return new Violation(`the heartbeat of instance ${key} has not the store's time`, {
          uid: key,
          heardAtMicros,
          storeAtLeastMicros: readings.least,
          storeAtMostMicros: readings.most
        })
      }
    }
    return clock
  }
}

function heardIn(before: Instance | null, after: Instance | null): number | undefined {
  if (after === null || after.lastHeartbeatAt === null || after.lastHeartbeatAt === before?.lastHeartbeatAt)
    return undefined
  return after.lastHeartbeatAt
}
