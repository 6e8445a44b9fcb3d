/**
 * What the store's timestamps tell of its clock, for the rules that hold by time and must bend when that clock jumps.
 *
 * Each lease row that is written carries the database's time, a little before its commit. How far that is from the listener's
 * time is nearly constant; when it rises at once, the clock was set.
 */
import type { Envelope } from "../facts/Envelope.ts"
import { leases } from "../ports/Storage.ts"
import { rowChanges } from "./rowChanges.ts"

/** More than drift and haste can explain between two renewals. */
const jumpMicros = 100_000
const samplesMax = 8

export interface DatabaseClock {
  /** The latest differences of database time and listener time. */
  readonly samples: Array<number>
  /** When the clock was last seen to have jumped forward; -Infinity when never. */
  jumpedAtMicros: number
}

export const make = (): DatabaseClock => ({ samples: [], jumpedAtMicros: -Infinity })

/** The best guess of the difference: the largest of late, because only delay makes it smaller. */
export const offsetMicros = (clock: DatabaseClock): number | undefined =>
  clock.samples.length === 0 ? undefined : Math.max(...clock.samples)

/** Follows the clock; true when this fact brought a new sample. */
export const follow = (clock: DatabaseClock, envelope: Envelope): boolean => {
  let hasSample = false
  for (const { after } of rowChanges(envelope, leases)) {
    if (after === null || after.releasedAt !== null) continue
    const sample = after.renewedAt - envelope.atMicros
    const offset = offsetMicros(clock)
    if (offset !== undefined && sample > offset + jumpMicros) {
      clock.jumpedAtMicros = envelope.atMicros
      clock.samples.length = 0
    }
    clock.samples.push(sample)
    if (clock.samples.length > samplesMax) clock.samples.shift()
    hasSample = true
  }
  return hasSample
}
