/**
 * What a watch stream has told, as tables: a fold over its frames. Pure.
 *
 * - T1 What is shown is always as of whole transactions: a frame that is not complete is kept aside until one that is.
 * - T2 A listing replaces everything at once when it is complete; until then what was known is still shown.
 * - T3 The token is that of the last frame; there is none from the beginning of a listing to its end, so that one that was cut off begins anew.
 */
import type { WatchEvent } from "../../core/watch/WatchFrame.ts"
import { type ChangeLog, type Happened, logged, noChanges } from "./changeLog.ts"
import type { Documents, Kind, Tables, Told } from "./documents.ts"
import type { ServerSentEvent } from "./serverSentEvents.ts"

interface Heard {
  readonly tables: Tables
  readonly log: ChangeLog
}

export interface Watched {
  /** Undefined until the first listing was complete. */
  readonly shown: Tables | undefined
  /** What has changed since the last listing was complete. */
  readonly log: ChangeLog
  /** What is told and not yet whole. */
  readonly aside: Heard | undefined
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

export const nothing: Watched = {
  shown: undefined,
  log: noChanges,
  aside: undefined,
  isListing: false,
  token: undefined
}

/** Undefined where the event is none that can be read: the stream is garbled. Events of a kind that is not known are passed over. */
export const step = (watched: Watched, told: ServerSentEvent, nowMillis: number): Watched | undefined => {
  switch (told.event) {
    case "reset":
      return { ...watched, aside: { tables: noTables, log: noChanges }, isListing: true, token: undefined }
    case "bookmark":
      return { ...watched, token: told.id ?? watched.token }
    case "changes": {
      const changes = changesOf(told.data)
      if (changes === undefined) return undefined
      const { isListing, log, shown } = watched
      const from = watched.aside ?? { tables: shown ?? noTables, log }
      const heard = apply(from, changes.events, isListing ? undefined : nowMillis)
      const token = told.id ?? watched.token
      return changes.isComplete
        ? { shown: heard.tables, log: heard.log, aside: undefined, isListing: false, token }
        : { shown, log, aside: heard, isListing, token }
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

/** `sinceMillis` is undefined within a listing, which is no change. */
function apply({ log, tables }: Heard, events: ReadonlyArray<WatchEvent>, sinceMillis: number | undefined): Heard {
  const copies = new Map<Kind, Map<string, Told<Kind>>>()
  const happened: Array<Happened> = []
  for (const event of events) {
    const { document, id, kind, type } = event
    if (!(kind in tables)) continue
    const table = copies.get(kind) ?? new Map<string, Told<Kind>>(tables[kind])
    copies.set(kind, table)
    happened.push({ event, before: table.get(id)?.document as Happened["before"] })
    if (type === "deleted") table.delete(id)
    else table.set(id, { document: document as unknown as Documents[Kind], sinceMillis })
  }
  return {
    tables: { ...tables, ...Object.fromEntries(copies) },
    log: sinceMillis === undefined ? log : logged(log, happened, sinceMillis)
  }
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
