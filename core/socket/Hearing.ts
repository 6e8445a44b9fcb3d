/**
 * Whether the other end is still heard: judged once an interval, by whether anything at all has come since.
 *
 * Intervals are counted, not time: a process that was stopped for an hour and wakes has missed one look, not an hour of life.
 * What an end that reads nothing cannot hear says nothing about the other.
 */

export interface Hearing {
  /** What had come by the last look. */
  readonly heard: number
  /** How many looks in a row found nothing new. */
  readonly silentIntervals: number
}

/** What a look finds. `heard` counts up with whatever comes; `isPaused` when nothing is read at present. */
export interface Look {
  readonly heard: number
  readonly isPaused: boolean
}

export const atFirst = (heard: number): Hearing => ({ heard, silentIntervals: 0 })

export const look = (before: Hearing, { heard, isPaused }: Look): Hearing =>
  isPaused || heard !== before.heard ? atFirst(heard) : { heard, silentIntervals: before.silentIntervals + 1 }

export const isLost = ({ silentIntervals }: Hearing, silentIntervalsMax: number): boolean =>
  silentIntervals >= silentIntervalsMax
