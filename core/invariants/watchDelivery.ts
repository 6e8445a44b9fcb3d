/**
 * I6, checkers 5.9.9: what watchers are told, against what was committed. Of every row a watcher is told each state after the one before:
 * none twice, none left out, none before its time and none that never was; a listing may leap forward and never back.
 *
 * A state is what an event may be told for: the revision of an instance, the generation of a fleet and whether it is parked, its counters. What a
 * watcher has not been told yet is no violation; `behind` says what it still misses, for the liveness phase.
 */
import type { Envelope } from "../facts/Envelope.ts"
import { fleets, fleetStatuses } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import type { WatchDelivered } from "../watch/WatchFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

const gone = "-"

/** The states of a row, in the order of their commits, with the fact that told of each. */
type History = Array<{ readonly version: string; readonly factId: number }>

interface Watcher {
  readonly incarnation: number
  /** Of each row, where in its history the watcher is. */
  readonly at: Map<string, number>
  /** What the listing under way has shown. */
  listing: Set<string> | undefined
  /** When the last listing was complete. */
  listedAt: number
}

export interface WatchState {
  readonly histories: Map<string, History>
  readonly watchers: Map<string, Watcher>
}

// covers A28
export const watchDelivery: Invariant<WatchState> = {
  name: "watch-delivery",
  states:
    "A watcher is told every state of a row once, in order, whatever it resumes at; a listing never leads back (I6).",
  initial: () => ({ histories: new Map(), watchers: new Map() }),
  step: (state, envelope) => {
    const { fact, id, incarnation, node } = envelope
    switch (fact._tag) {
      case "Committed":
        remember(state, envelope)
        return state
      case "WatchReset":
        watcherOf(state, node, incarnation).listing = new Set()
        return state
      case "WatchDelivered":
        return deliver(state, watcherOf(state, node, incarnation), fact as WatchDelivered, { node, id }) ?? state
      default:
        return state
    }
  }
}

function remember({ histories }: WatchState, envelope: Envelope): void {
  const add = (key: string, version: string) => {
    const history = histories.get(key) ?? []
    histories.set(key, history)
    if (history.at(-1)?.version !== version) history.push({ version, factId: envelope.id })
  }
  for (const { after, key } of rowChanges(envelope, instances)) {
    add(`instance ${key}`, after === null ? gone : String(after.revision))
  }
  for (const { after, key } of rowChanges(envelope, fleets)) {
    add(`fleet ${key}`, after === null ? gone : `${after.createdAt}/${after.generation}/${after.parkedAt}`)
  }
  for (const { after, key } of rowChanges(envelope, fleetStatuses)) {
    if (after === null) add(`fleet-status ${key}`, gone)
    else {
      const { deleting, error, id, live, observedGeneration, parked, running } = after
      add(`fleet-status ${key}`, JSON.stringify({ id, observedGeneration, live, running, error, deleting, parked }))
    }
  }
}

/** What a process that was started again knew is forgotten. */
function watcherOf({ watchers }: WatchState, node: string, incarnation: number): Watcher {
  const known = watchers.get(node)
  if (known?.incarnation === incarnation) return known
  const watcher: Watcher = { incarnation, at: new Map(), listing: undefined, listedAt: 0 }
  watchers.set(node, watcher)
  return watcher
}

function deliver(
  { histories }: WatchState,
  watcher: Watcher,
  { events, isComplete }: WatchDelivered,
  { id: factId, node }: { readonly node: string; readonly id: number }
): Violation | undefined {
  for (const { id, kind, type, version: shown } of events) {
    const key = `${kind} ${id}`
    const version = type === "deleted" ? gone : shown
    const history = (histories.get(key) ?? []).map((each) => each.version)
    const at = watcher.at.get(key) ?? -1
    const evidence = { watcher: node, row: key, told: version, after: history[at] ?? null, history }
    const next = watcher.listing === undefined ? at + 1 : history.lastIndexOf(version)
    if (watcher.listing !== undefined && next >= 0 && next < at) {
      return new Violation(`a listing led a watcher back to an older state of ${key}`, evidence)
    }
    if (history[next] !== version) {
      const place = history.lastIndexOf(version)
      const what =
        place < 0 ? "a state that never was" : place <= at ? "a state again" : "a state before the one that comes first"
      return new Violation(`a watcher was told ${what} of ${key}`, evidence)
    }
    watcher.at.set(key, next)
    watcher.listing?.add(key)
  }
  if (watcher.listing === undefined || !isComplete) return undefined
  for (const [key, at] of watcher.at) {
    const history = histories.get(key)!
    if (watcher.listing.has(key) || history[at]!.version === gone) continue
    if (history.at(-1)!.version !== gone) {
      return new Violation(`a listing left out ${key}, which is there`, { watcher: node, row: key })
    }
    watcher.at.set(key, history.length - 1)
  }
  watcher.listing = undefined
  watcher.listedAt = factId
  return undefined
}

/** What a watcher has not been told yet, in a line; undefined when all know all. */
export function behind({ histories, watchers }: WatchState, watching: ReadonlyArray<string>): string | undefined {
  for (const node of watching) {
    const watcher = watchers.get(node)
    if (watcher === undefined || watcher.listedAt === 0) return `${node} has not been told anything`
    if (watcher.listing !== undefined) return `${node} is in the middle of a listing`
    for (const [key, history] of histories) {
      const last = history.length - 1
      if ((watcher.at.get(key) ?? -1) === last) continue
      // What came and went before it listed it never knew of.
      const isPast = history[last]!.version === gone && !watcher.at.has(key) && history[0]!.factId < watcher.listedAt
      if (!isPast) return `${node} has not been told of ${key} that it is ${history[last]!.version}`
    }
  }
  return undefined
}
