/** Instances as a table, as many as a page can bear. */
import type { InstanceView } from "../../../core/api/Views.ts"
import { doingOf, failureOf } from "../fleetRows.ts"
import type { Told } from "../documents.ts"
import { ageOf, duration } from "../texts.ts"
import { keyed, setAttribute, tableRow } from "./dom.ts"

/** More are found by what is typed. */
export const instancesShownMax = 200

export interface InstanceRow {
  readonly told: Told<"instance">
  readonly nowMillis: number
  readonly wallMillis: number
  /** Undefined where none is known to run it. */
  readonly agent: string | undefined
}

export const instancesIn = (body: HTMLElement): ((rows: ReadonlyArray<InstanceRow>) => void) =>
  keyed(
    body,
    ({ told }) => told.document.uid,
    tableRow<InstanceRow>(
      ({ agent, nowMillis, told, wallMillis }) => {
        const { createdAt, name, uid } = told.document
        return [
          name,
          stateOf(told),
          agent ?? "",
          reasonOf(told.document),
          sinceOf(told, nowMillis),
          ageOf(createdAt, wallMillis),
          shortOf(uid, name)
        ]
      },
      (row, { told }) => {
        setAttribute(row.children[1]!, "data-doing", doingOf(told.document))
        setAttribute(row, "title", told.document.uid)
      },
      ["name", "state", "name", "words", "", "roomy", "roomy"]
    )
  )

/** Why it is as it is. What runs may have failed before, or stand in for what did: that is no reason of it. */
export const reasonOf = (instance: InstanceView): string =>
  doingOf(instance) === "running"
    ? ""
    : [instance.reason, failureOf(instance), instance.parkedAt === null ? undefined : "parked"]
        .filter(Boolean)
        .join("; ")

/** Without the name, which stands beside it. */
export const shortOf = (uid: string, name: string): string =>
  uid.startsWith(`${name}-`) ? `…${uid.slice(name.length)}` : uid

/** The state, and whether its end is asked for. */
export const stateOf = ({ document }: Told<"instance">): string =>
  document.deletionRequestedAt === null || document.state === "DELETING"
    ? document.state
    : `${document.state}, to be gone`

/** For how long its state is known here; of what was there before, nothing is. */
export const sinceOf = ({ sinceMillis }: Told<"instance">, nowMillis: number): string =>
  sinceMillis === undefined ? "–" : duration(nowMillis - sinceMillis)
