/** Members, leases and agents; what is under way and what has changed; what was asked for, and the end of the audit log. */
import type { Change } from "../changeLog.ts"
import { bucketsOf, type MemberRow, roleOf } from "../holdings.ts"
import { ageOf, duration } from "../texts.ts"
import type { Documents, Told } from "../documents.ts"
import { doingOf } from "../fleetRows.ts"
import { element, keyed, setAttribute, setText, tableRow } from "./dom.ts"
import { reasonOf, shortOf, sinceOf, stateOf } from "./instanceTable.ts"

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
        const { buckets, member } = aged.row
        return [`${member.id}/${member.incarnation}`, roleOf(aged.row), String(buckets), heard(aged)]
      },
      (row, { row: { member } }) => {
        row.classList.toggle("gone", member.leavingAt !== null)
        setAttribute(row, "title", member.address)
      },
      ["name", "", "", ""]
    )
  )

export const leasesIn = (body: HTMLElement): ((rows: ReadonlyArray<Aged<Documents["lease"]>>) => void) =>
  keyed(
    body,
    ({ row }) => row.key,
    tableRow<Aged<Documents["lease"]>>(
      ({ row: { acquiredAt, epoch, holder, key, releasedAt }, wallMillis }) =>
        releasedAt === null
          ? [key, bucketsOf(key) ?? "", holder, String(epoch), ageOf(acquiredAt, wallMillis)]
          : [key, bucketsOf(key) ?? "", "released", String(epoch), ""],
      (row, { row: { releasedAt } }) => row.classList.toggle("gone", releasedAt !== null),
      ["", "roomy", "name", "", ""]
    )
  )

export interface AgentRow extends Aged<Documents["agent"]> {
  /** Of the project that is shown. */
  readonly instances: number
}

export const agentsIn = (body: HTMLElement): ((rows: ReadonlyArray<AgentRow>) => void) =>
  keyed(
    body,
    ({ row }) => row.id,
    tableRow<AgentRow>(
      (aged) => [aged.row.id, String(aged.instances), String(aged.row.incarnation), heard(aged)],
      (row, { row: { host } }) => setAttribute(row, "title", host === null ? "" : `on host ${host}`),
      ["name", "", "roomy", ""]
    )
  )

export interface Unsettled {
  readonly name: string
  readonly why: string
  /** For how long. */
  readonly lasts: string
}

export const unsettledIn = (list: HTMLElement): ((rows: ReadonlyArray<Unsettled>) => void) =>
  keyed(
    list,
    ({ name }) => name,
    () => {
      const [what, since] = [element("span", { class: "fleet" }), element("span")]
      return {
        element: element("li", {}, what, since),
        update: ({ lasts, name, why }) => {
          setText(what, `${name}: ${why}`)
          setText(since, lasts)
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
          const { document } = told
          setAttribute(what, "data-doing", doingOf(document))
          setText(what, [`${document.name} ${stateOf(told)}`, reasonOf(document)].filter(Boolean).join(": "))
          setText(since, sinceOf(told, nowMillis))
        }
      }
    }
  )

export interface ChangeRow {
  readonly change: Change
  readonly nowMillis: number
}

export const changesIn = (body: HTMLElement): ((rows: ReadonlyArray<ChangeRow>) => void) =>
  keyed(
    body,
    ({ change }) => String(change.nr),
    tableRow<ChangeRow>(
      ({ change: { atMillis, name, uid, what }, nowMillis }) => [
        duration(nowMillis - atMillis),
        name,
        what,
        shortOf(uid, name)
      ],
      (row, { change }) => {
        setAttribute(row.children[2]!, "data-doing", change.doing)
        setAttribute(row, "title", change.uid)
      },
      ["", "name", "state", "roomy"]
    )
  )

/** A request that was to change something, and how it was answered. */
export interface OperationEntry {
  readonly id: string
  /** Microseconds since 1970. */
  readonly at: number
  readonly principal: string
  /** "fleets/put". */
  readonly action: string
  readonly path: string
  readonly status: number
  /** The generation or revision that it made. */
  readonly revision: number | null
}

export interface OperationRow {
  readonly entry: OperationEntry
  readonly wallMillis: number
}

export const operationsIn = (body: HTMLElement): ((rows: ReadonlyArray<OperationRow>) => void) =>
  keyed(
    body,
    ({ entry }) => entry.id,
    tableRow<OperationRow>(
      ({ entry: { action, at, path, principal, revision, status }, wallMillis }) => [
        ageOf(at, wallMillis),
        principal,
        // Of a project that the page shows: what is behind it in the path.
        `${action} ${path.split("/").slice(4).join("/") || path}`,
        status < 300 && revision !== null ? `${status}, generation ${revision}` : String(status)
      ],
      undefined,
      ["", "name", "long", ""]
    )
  )

export interface AuditEntry extends Omit<OperationEntry, "id"> {
  readonly seq: number
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
        ageOf(at, wallMillis),
        principal,
        `${action} ${path}`,
        String(status)
      ],
      undefined,
      ["roomy", "", "name", "long", ""]
    )
  )
