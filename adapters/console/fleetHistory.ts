/** What was wanted and what ran, over the last minutes, as far as this page has seen it; and its drawing. Pure. */
import type { FleetRow } from "./fleetRows.ts"
import { duration } from "./texts.ts"

export const windowMillis = 5 * 60_000
/** More changes than that within the window are thinned out from the oldest on. */
export const samplesMax = 600

export interface Sample {
  /** It holds from here until the next one. */
  readonly atMillis: number
  readonly desired: number
  readonly running: number
  readonly isStable: boolean
}

/** By the id of the fleet, oldest first. */
export type FleetHistory = ReadonlyMap<string, ReadonlyArray<Sample>>

/** Keeps of what is older than the window only what still held at its beginning; forgets fleets that are gone. */
export const record = (
  history: FleetHistory,
  rows: ReadonlyArray<Pick<FleetRow, "id" | "desired" | "status" | "why">>,
  atMillis: number
): FleetHistory =>
  new Map(
    rows.map(({ desired, id, status, why }) => {
      const samples = history.get(id) ?? []
      const sample = { atMillis, desired, running: status?.running ?? 0, isStable: why === undefined }
      const last = samples.at(-1)
      const isNews = last === undefined || !isSame(last, sample)
      return [id, kept(isNews ? [...samples, sample] : samples, atMillis)]
    })
  )

function isSame(one: Sample, other: Sample): boolean {
  return one.desired === other.desired && one.running === other.running && one.isStable === other.isStable
}

function kept(samples: ReadonlyArray<Sample>, nowMillis: number): ReadonlyArray<Sample> {
  const from = samples.findLastIndex(({ atMillis }) => atMillis <= nowMillis - windowMillis)
  return samples.slice(Math.max(0, from, samples.length - samplesMax))
}

/** Since when it has not been as it is wanted, without a break; undefined when it is. */
export const unstableSinceMillis = (samples: ReadonlyArray<Sample>): number | undefined => {
  if (samples.at(-1)?.isStable !== false) return undefined
  return samples[samples.findLastIndex(({ isStable }) => isStable) + 1]!.atMillis
}

/** For how long, in words; what was so when this page saw it first may have been so for longer. Undefined when it is as it is wanted. */
export const unstableFor = (
  samples: ReadonlyArray<Sample>,
  untilMillis: number,
  isSeenFromBeginning: boolean
): string | undefined => {
  const sinceMillis = unstableSinceMillis(samples)
  if (sinceMillis === undefined) return undefined
  const isPart = sinceMillis === samples[0]?.atMillis && !isSeenFromBeginning
  return `${duration(untilMillis - sinceMillis)}${isPart ? " or more" : ""}`
}

export interface Moment {
  readonly nowMillis: number
  /** Up to when the last sample is known to hold: before now, when the stream is lost. */
  readonly untilMillis: number
}

export interface Chart {
  /** As `d` of an SVG path: steps, as numbers hold until they change. */
  readonly desired: string
  readonly running: string
  /** What is under `running`. */
  readonly area: string
  /** The top of the scale. */
  readonly max: number
  /** From the left edge to the right one, which is now: all that was seen, as far as it is not older than the window. */
  readonly spanMillis: number
}

export const chartOf = (
  samples: ReadonlyArray<Sample>,
  { nowMillis, untilMillis }: Moment,
  { height, width }: { readonly width: number; readonly height: number }
): Chart => {
  const max = Math.max(1, ...samples.map(({ desired, running }) => Math.max(desired, running)))
  const spanMillis = Math.min(windowMillis, nowMillis - (samples[0]?.atMillis ?? nowMillis))
  const x = (atMillis: number): string =>
    rounded(width * Math.min(1, Math.max(0, 1 - (nowMillis - atMillis) / Math.max(1, spanMillis))))
  const y = (count: number): string => rounded(height * (1 - count / max))
  const line = (countOf: (sample: Sample) => number): string => {
    const steps = samples.map((sample, index) =>
      // At the left edge, also when this is the moment in which it was seen: it is shown at once.
      index === 0 ? `M0 ${y(countOf(sample))}` : `H${x(sample.atMillis)}V${y(countOf(sample))}`
    )
    return samples.length === 0 ? "" : `${steps.join("")}H${x(untilMillis)}`
  }
  const running = line((sample) => sample.running)
  const area = running === "" ? "" : `${running}V${rounded(height)}H0Z`
  return { desired: line((sample) => sample.desired), running, area, max, spanMillis }
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10)
}
