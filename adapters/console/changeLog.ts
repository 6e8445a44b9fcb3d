/** What has become of fleets' instances since this page has heard of them: line by line, and counted for each fleet. Pure. */
import type { WatchEvent } from "../../core/watch/WatchFrame.ts"
import { type Doing, doingOf } from "./fleetRows.ts"
import type { Documents } from "./documents.ts"

/** Older lines are forgotten, and counted all the same. */
export const changesMax = 200

export interface Change {
  /** Counts the changes. */
  readonly nr: number
  /** By the reader's clock. */
  readonly atMillis: number
  readonly uid: string
  readonly name: string
  readonly what: string
  readonly doing: Doing
}

/** Of one fleet, since a change of what is wanted of it. */
export interface Tally {
  readonly generation: number
  /** It began before this page heard of it. */
  readonly isPart: boolean
  readonly created: number
  readonly failed: number
  readonly deleted: number
}

export interface ChangeLog {
  /** Oldest first. */
  readonly changes: ReadonlyArray<Change>
  /** By the id of the fleet. */
  readonly tallies: ReadonlyMap<string, Tally>
}

export const noChanges: ChangeLog = { changes: [], tallies: new Map() }

/** An event, and what was known of its row before. */
export interface Happened {
  readonly event: WatchEvent
  readonly before: Readonly<Record<string, unknown>> | undefined
}

export const logged = (log: ChangeLog, happened: ReadonlyArray<Happened>, atMillis: number): ChangeLog => {
  const lines: Array<Change> = []
  const tallies = new Map(log.tallies)
  let nr = log.changes.at(-1)?.nr ?? 0
  for (const { before, event } of happened) {
    if (event.kind === "fleet") countAnew(tallies, event, before)
    if (event.kind !== "instance") continue
    const after = event.document as unknown as Documents["instance"]
    const what = changeOf(event.type, before as unknown as Documents["instance"] | undefined, after)
    if (what === undefined) continue
    const { fleet, name, uid } = after
    lines.push({ nr: ++nr, atMillis, uid, name, what, doing: event.type === "deleted" ? "leaving" : doingOf(after) })
    if (fleet === null) continue
    const tally = tallies.get(fleet) ?? { ...none, generation: 0, isPart: true }
    const counted = what === "deleted" || what === "created" ? what : what.startsWith("ERROR") ? "failed" : undefined
    if (counted !== undefined) tallies.set(fleet, { ...tally, [counted]: tally[counted] + 1 })
  }
  return { changes: [...log.changes, ...lines].slice(-changesMax), tallies }
}

const none = { created: 0, failed: 0, deleted: 0 }

function countAnew(tallies: Map<string, Tally>, { document, id, type }: WatchEvent, before: Happened["before"]): void {
  const generation = Number(document["generation"])
  if (type === "deleted") tallies.delete(id)
  else if (Number(before?.["generation"]) !== generation) tallies.set(id, { ...none, generation, isPart: false })
}

/** In a few words; undefined where nothing is to be told. */
function changeOf(
  type: WatchEvent["type"],
  before: Documents["instance"] | undefined,
  { deletionRequestedAt, parkedAt, reason, state }: Documents["instance"]
): string | undefined {
  if (type === "deleted") return "deleted"
  if (before === undefined) return "created"
  if (before.state !== state) return reason === null || state !== "ERROR" ? state : `${state}: ${reason}`
  if (before.deletionRequestedAt === null && deletionRequestedAt !== null) return "its end is asked for"
  return before.parkedAt === null && parkedAt !== null ? "parked, as it failed too often" : undefined
}
