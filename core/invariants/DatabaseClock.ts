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
/** More than the delay between a timestamp and its commit. */
const delayMicrosMax = 2_000_000
/** Few, so that a clock that was set back and then set right again is seen to jump. */
const samplesMax = 4

export interface DatabaseClock {
  /** The latest differences of database time and listener time, one for each commit. */
  readonly samples: Array<number>
  /** When the clock was last seen to have jumped forward; -Infinity when never. */
  jumpedAtMicros: number
}

export const make = (): DatabaseClock => ({ samples: [], jumpedAtMicros: -Infinity })

/** The best guess of the difference: the largest of late, because only delay makes it smaller. */
export const offsetMicros = (clock: DatabaseClock): number | undefined =>
  clock.samples.length === 0 ? undefined : Math.max(...clock.samples)

/** Follows the clock; returns the new sample when this fact brought one. */
export const follow = (clock: DatabaseClock, envelope: Envelope): number | undefined => {
  const written = rowChanges(envelope, leases).find(({ after }) => after !== null && after.releasedAt === null)
  if (written === undefined) return undefined
  const sample = written.after!.renewedAt - envelope.atMicros
  const offset = offsetMicros(clock)
  const isForward = offset !== undefined && sample > offset + jumpMicros
  const isBackward = offset !== undefined && sample < offset - delayMicrosMax
  if (isForward) clock.jumpedAtMicros = envelope.atMicros
  if (isForward || isBackward) clock.samples.length = 0
  clock.samples.push(sample)
  if (clock.samples.length > samplesMax) clock.samples.shift()
  return sample
}
