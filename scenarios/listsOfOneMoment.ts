/** G2 of `core/api/paging.ts`: the pages of a list are all of one moment, which lay between its asking and the answer of its first page. */
import type { Envelope } from "../core/facts/Envelope.ts"
import { instances } from "../core/instance/Instance.ts"
import { type Invariant, Violation } from "../core/invariants/Invariant.ts"
import { rowChanges } from "../core/invariants/rowChanges.ts"

/** A reader asks for the first page. */
export interface ListBegun {
  readonly _tag: "ListBegun"
  readonly project: string
}

/** A page was answered. */
export interface ListPageRead {
  readonly _tag: "ListPageRead"
  /** Uids with their revisions. */
  readonly items: ReadonlyArray<readonly [uid: string, revision: number]>
  readonly isLast: boolean
}

interface Reading {
  readonly project: string
  /** What there was at each moment since it was asked for, until the first page was answered. */
  readonly moments: Array<string>
  readonly items: Array<readonly [string, number]>
  isPinned: boolean
}

export interface ListsState {
  /** Of each project, uid and revision. */
  readonly present: Map<string, Map<string, number>>
  readonly readings: Map<string, Reading>
}

export const listsOfOneMoment: Invariant<ListsState> = {
  name: "list-of-one-moment",
  states:
    "The pages of a list show together what there was at one moment after it was asked for, whatever changed meanwhile.",
  initial: () => ({ present: new Map(), readings: new Map() }),
  step: (state, envelope) => {
    const { fact, node } = envelope
    switch (fact._tag) {
      case "Committed":
        if (remember(state, envelope)) {
          for (const each of state.readings.values())
            if (!each.isPinned) each.moments.push(momentOf(state, each.project))
        }
        return state
      case "ListBegun": {
        const { project } = fact as ListBegun
        state.readings.set(node, { project, moments: [momentOf(state, project)], items: [], isPinned: false })
        return state
      }
      case "ListPageRead":
        return read(state, node, fact as ListPageRead) ?? state
      default:
        return state
    }
  }
}

function remember({ present }: ListsState, envelope: Envelope): boolean {
  let isTouched = false
  for (const { after, before, key } of rowChanges(envelope, instances)) {
    const project = (after ?? before)!.project
    const rows = present.get(project) ?? new Map<string, number>()
    present.set(project, rows)
    if (after === null) rows.delete(key)
    else rows.set(key, after.revision)
    isTouched = true
  }
  return isTouched
}

const momentOf = ({ present }: ListsState, project: string): string => textOf([...(present.get(project) ?? [])])

const textOf = (rows: ReadonlyArray<readonly [string, number]>): string =>
  rows
    .map(([uid, revision]) => `${uid}@${revision}`)
    .toSorted()
    .join(" ")

function read({ readings }: ListsState, reader: string, { isLast, items }: ListPageRead): Violation | undefined {
  const reading = readings.get(reader)
  if (reading === undefined) return undefined
  reading.isPinned = true
  reading.items.push(...items)
  if (!isLast) return undefined
  readings.delete(reader)
  const shown = textOf(reading.items)
  if (reading.moments.includes(shown)) return undefined
  return new Violation(`${reader} was shown a list of ${reading.project} as it never was`, {
    shown,
    moments: reading.moments.slice(0, 20)
  })
}
