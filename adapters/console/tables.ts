/**
 * What a watch stream has told, as tables: a fold over its frames. Pure.
 *
 * - T1 What is shown is always as of whole transactions: a frame that is not complete is kept aside until one that is.
 * - T2 A listing replaces everything at once when it is complete; until then what was known is still shown.
 * - T3 The token is that of the last frame; there is none from the beginning of a listing to its end, so that one that was cut off begins anew.
 */
import type { FleetView, InstanceView, AgentView, LeaseView, MemberView } from "../../core/api/Views.ts"
import type { WatchEvent } from "../../core/watch/WatchFrame.ts"
import type { ServerSentEvent } from "./serverSentEvents.ts"

/** What each kind of event tells. */
export interface Documents {
  readonly fleet: Omit<FleetView, "status">
  readonly "fleet-status": NonNullable<FleetView["status"]>
  readonly instance: InstanceView
  readonly member: typeof MemberView.Type
  readonly lease: typeof LeaseView.Type
  readonly agent: typeof AgentView.Type
}
export type Kind = keyof Documents

export interface Told<K extends Kind> {
  readonly document: Documents[K]
  /** When this state of it was told, by the reader's clock; undefined when it was there before: in a listing. */
  readonly sinceMillis: number | undefined
}

/** By id, of each kind. */
export type Tables = { readonly [K in Kind]: ReadonlyMap<string, Told<K>> }

export interface Watched {
  /** Undefined until the first listing was complete. */
  readonly shown: Tables | undefined
  /** What is told and not yet whole. */
  readonly aside: Tables | undefined
  readonly isListing: boolean
  /** Where to go on; undefined: from a listing. */
  readonly token: string | undefined
}

export const noTables: Tables = {
  fleet: new Map(),
  "fleet-status": new Map(),
  instance: new Map(),
  member: new Map(),
  lease: new Map(),
  agent: new Map()
}

export const nothing: Watched = { shown: undefined, aside: undefined, isListing: false, token: undefined }

/** Undefined where the event is none that can be read: the stream is garbled. Events of a kind that is not known are passed over. */
export const step = (watched: Watched, told: ServerSentEvent, nowMillis: number): Watched | undefined => {
  switch (told.event) {
    case "reset":
      return { ...watched, aside: noTables, isListing: true, token: undefined }
    case "bookmark":
      return { ...watched, token: told.id ?? watched.token }
    case "changes": {
      const changes = changesOf(told.data)
      if (changes === undefined) return undefined
      const { aside, isListing, shown } = watched
      const tables = apply(aside ?? shown ?? noTables, changes.events, isListing ? undefined : nowMillis)
      return changes.isComplete
        ? { shown: tables, aside: undefined, isListing: false, token: told.id ?? watched.token }
        : { shown, aside: tables, isListing, token: told.id ?? watched.token }
    }
    default:
      return watched
  }
}

/** What was there before is void with its token, and is shown until the next listing is complete. */
export const expired = (watched: Watched): Watched => ({ ...watched, token: undefined, aside: undefined })

/** What was told before the stream was cut in the middle of a listing is void; the rest goes on. */
export const cutOff = (watched: Watched): Watched =>
  watched.isListing ? { ...watched, aside: undefined, isListing: false, token: undefined } : watched

function apply(tables: Tables, events: ReadonlyArray<WatchEvent>, sinceMillis: number | undefined): Tables {
  const copies = new Map<Kind, Map<string, Told<Kind>>>()
  for (const { document, id, kind, type } of events) {
    if (!(kind in tables)) continue
    const table = copies.get(kind) ?? new Map<string, Told<Kind>>(tables[kind])
    copies.set(kind, table)
    if (type === "deleted") table.delete(id)
    else table.set(id, { document: document as unknown as Documents[Kind], sinceMillis })
  }
  return { ...tables, ...Object.fromEntries(copies) }
}

type Changes = { readonly events: ReadonlyArray<WatchEvent>; readonly isComplete: boolean }

function changesOf(text: string): Changes | undefined {
  try {
    const value = JSON.parse(text) as Partial<Changes> | null
    const isFrame = Array.isArray(value?.events) && typeof value.isComplete === "boolean"
    return isFrame ? (value as Changes) : undefined
  } catch {
    // Half a document: the caller takes the stream for cut.
    return undefined
  }
}
