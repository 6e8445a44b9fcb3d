/** Members, leases and agents; what is under way; the end of the audit log. */
import { ageOf, duration } from "../texts.ts"
import type { MemberRow } from "../holdings.ts"
import type { Documents, Told } from "../tables.ts"
import { doingOf } from "../fleetRows.ts"
import { element, keyed, setAttribute, setText, tableRow } from "./dom.ts"
import { sinceOf, stateOf } from "./instanceTable.ts"

/** A document, when the database heard of it last if that was asked, and the reader's wall clock. */
export interface Aged<A> {
  readonly row: A
  readonly heardAt: number | null | undefined
  readonly wallMillis: number
}

const heard = ({ heardAt, wallMillis }: Aged<unknown>): string =>
  heardAt === undefined ? "" : heardAt === null ? "never" : ageOf(heardAt, wallMillis)

export const membersIn = (body: HTMLElement): ((rows: ReadonlyArray<Aged<MemberRow>>) => void) =>
  keyed(
    body,
    ({ row }) => row.member.id,
    tableRow<Aged<MemberRow>>(
      (aged) => {
        const { groups, leadsAs, member } = aged.row
        const role = leadsAs === undefined ? "" : `leads, epoch ${leadsAs}`
        return [
          `${member.id}/${member.incarnation}`,
          member.leavingAt === null ? role : "left",
          String(groups),
          heard(aged)
        ]
      },
      (row, { row: { member } }) => {
        row.classList.toggle("gone", member.leavingAt !== null)
        setAttribute(row, "title", member.address)
      }
    )
  )

export const leasesIn = (body: HTMLElement): ((rows: ReadonlyArray<Aged<Documents["lease"]>>) => void) =>
  keyed(
    body,
    ({ row }) => row.key,
    tableRow<Aged<Documents["lease"]>>(
      ({ row: { acquiredAt, epoch, holder, key, releasedAt }, wallMillis }) =>
        releasedAt === null
          ? [key, holder, String(epoch), ageOf(acquiredAt, wallMillis)]
          : [key, "released", String(epoch), ""],
      (row, { row: { releasedAt } }) => row.classList.toggle("gone", releasedAt !== null)
    )
  )

export const agentsIn = (body: HTMLElement): ((rows: ReadonlyArray<Aged<Documents["agent"]>>) => void) =>
  keyed(
    body,
    ({ row }) => row.id,
    tableRow<Aged<Documents["agent"]>>((aged) => [aged.row.id, String(aged.row.incarnation), heard(aged)])
  )

export interface Unsettled {
  readonly name: string
  readonly why: string
  readonly sinceMillis: number | undefined
  readonly nowMillis: number
}

export const unsettledIn = (list: HTMLElement): ((rows: ReadonlyArray<Unsettled>) => void) =>
  keyed(
    list,
    ({ name }) => name,
    () => {
      const [what, since] = [element("span", { class: "fleet" }), element("span")]
      return {
        element: element("li", {}, what, since),
        update: ({ name, nowMillis, sinceMillis, why }) => {
          setText(what, `${name}: ${why}`)
          setText(since, sinceMillis === undefined ? "" : duration(nowMillis - sinceMillis))
        }
      }
    }
  )

export interface Moving {
  readonly told: Told<"instance">
  readonly nowMillis: number
}

export const movingIn = (list: HTMLElement): ((rows: ReadonlyArray<Moving>) => void) =>
  keyed(
    list,
    ({ told }) => told.document.uid,
    () => {
      const [what, since] = [element("span", { class: "state" }), element("span")]
      return {
        element: element("li", {}, what, since),
        update: ({ nowMillis, told }) => {
          const { name, reason } = told.document
          setAttribute(what, "data-doing", doingOf(told.document))
          setText(what, [name, stateOf(told), ...(reason === null ? [] : [reason])].join(" "))
          setText(since, sinceOf(told, nowMillis))
        }
      }
    }
  )

export interface AuditEntry {
  readonly seq: number
  /** Microseconds since 1970. */
  readonly at: number
  readonly principal: string
  /** "fleets/put". */
  readonly action: string
  readonly path: string
  readonly status: number
}

export interface AuditRow {
  readonly entry: AuditEntry
  readonly wallMillis: number
}

export const auditIn = (body: HTMLElement): ((rows: ReadonlyArray<AuditRow>) => void) =>
  keyed(
    body,
    ({ entry }) => String(entry.seq),
    tableRow<AuditRow>(
      ({ entry: { action, at, path, principal, seq, status }, wallMillis }) => [
        String(seq),
        duration(wallMillis - at / 1_000),
        principal,
        `${action} ${path}`,
        String(status)
      ],
      undefined,
      ["roomy", "", "", "long", ""]
    )
  )
