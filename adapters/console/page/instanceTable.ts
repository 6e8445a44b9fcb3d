/** Instances as a table, as many as a page can bear. */
import { doingOf } from "../fleetRows.ts"
import type { Told } from "../tables.ts"
import { duration } from "../texts.ts"
import { keyed, setAttribute, tableRow } from "./dom.ts"

/** More are found by what is typed. */
export const instancesShownMax = 200

export interface InstanceRow {
  readonly told: Told<"instance">
  readonly nowMillis: number
}

export const instancesIn = (body: HTMLElement): ((rows: ReadonlyArray<InstanceRow>) => void) =>
  keyed(
    body,
    ({ told }) => told.document.uid,
    tableRow<InstanceRow>(
      ({ nowMillis, told }) => {
        const { name, reason, revision, uid } = told.document
        return [name, stateOf(told), reason ?? "", sinceOf(told, nowMillis), String(revision), uid]
      },
      (row, { told }) => setAttribute(row.children[1]!, "data-doing", doingOf(told.document)),
      ["", "state", "", "", "roomy", "roomy"]
    )
  )

/** The state, and whether its end is asked for. */
export const stateOf = ({ document }: Told<"instance">): string =>
  document.deletionRequestedAt === null || document.state === "DELETING"
    ? document.state
    : `${document.state}, to be gone`

/** For how long its state is known here; of what was there before, nothing is. */
export const sinceOf = ({ sinceMillis }: Told<"instance">, nowMillis: number): string =>
  sinceMillis === undefined ? "–" : duration(nowMillis - sinceMillis)
