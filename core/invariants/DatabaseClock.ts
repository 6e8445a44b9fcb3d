/**
 * The store's clock, for the rules that hold by time and must bend when that clock is set. A listener that is not told of clocks
 * (an audit from outside) learns nothing here, and nothing bends for it.
 */
import type { ClockSet } from "../facts/ClockSet.ts"
import type { Envelope } from "../facts/Envelope.ts"

interface Setting extends ClockSet {
  readonly atMicros: number
}

export interface DatabaseClock {
  /** How each node's clock was set of late, oldest first. */
  readonly settings: Map<string, Array<Setting>>
  /** When the clock of the node was last set forward. */
  readonly forwardAtMicros: Map<string, number>
  /** The node that commits. */
  store: string | undefined
}

/** Settings that were replaced longer ago than this are forgotten. */
const memoryMicros = 60_000_000

export const make = (): DatabaseClock => ({ settings: new Map(), forwardAtMicros: new Map(), store: undefined })

export const follow = (clock: DatabaseClock, { fact, node, atMicros }: Envelope): void => {
  if (fact._tag === "Committed") clock.store = node
  else if (fact._tag === "ClockSet") {
    const setting: Setting = { ...(fact as ClockSet), atMicros }
    const recent = clock.settings.get(node) ?? []
    const first = recent.findLastIndex((other) => other.atMicros <= atMicros - memoryMicros)
    clock.settings.set(node, [...recent.slice(Math.max(0, first)), setting])
    if (setting.jumpMicros > 0) clock.forwardAtMicros.set(node, atMicros)
  }
}

/** When the store's clock was last set forward; -Infinity when never. */
export const forwardAtMicros = (clock: DatabaseClock): number =>
  (clock.store === undefined ? undefined : clock.forwardAtMicros.get(clock.store)) ?? -Infinity

/** The least and the most that the store's clock can have read in this time of the listener; undefined when it was not told. */
export const readingsMicros = (
  clock: DatabaseClock,
  fromMicros: number,
  toMicros: number
): { readonly least: number; readonly most: number } | undefined => {
  const settings = clock.store === undefined ? undefined : clock.settings.get(clock.store)
  if (settings === undefined) return undefined
  const readings = settings.flatMap((setting, index) => {
    const replacedAtMicros = settings[index + 1]?.atMicros ?? toMicros
    if (replacedAtMicros < fromMicros) return []
    const read = (atMicros: number) => setting.wallMicros + setting.rate * (atMicros - setting.atMicros)
    return [read(Math.max(fromMicros, setting.atMicros)), read(replacedAtMicros)]
  })
  return { least: Math.min(...readings), most: Math.max(...readings) }
}
