/** Who is there, and what each holds. Pure. */
import { bucketsPerGroup } from "../../core/Limits.ts"
import type { Documents, Tables } from "./documents.ts"

export const leaderKey = "leader"

export interface MemberRow {
  readonly member: Documents["member"]
  /** The epoch under which it leads; undefined: it does not. */
  readonly leadsAs: number | undefined
  /** How many buckets it works on. */
  readonly buckets: number
}

/** Those who are there by name, those who left behind them. A lease counts for the incarnation that took it. */
export const memberRows = (tables: Tables): ReadonlyArray<MemberRow> => {
  const leases = [...tables.lease.values()].map(({ document }) => document).filter(isHeld)
  return [...tables.member.values()]
    .map(({ document: member }) => {
      const held = leases.filter(({ holder }) => holder === `${member.id}/${member.incarnation}`)
      return {
        member,
        leadsAs: held.find(({ key }) => key === leaderKey)?.epoch,
        buckets: bucketsPerGroup * held.filter(({ key }) => key !== leaderKey).length
      }
    })
    .toSorted(
      ({ member: one }, { member: other }) =>
        Number(one.leavingAt !== null) - Number(other.leavingAt !== null) || compareNumbered(one.id, other.id)
    )
}

const isHeld = ({ releasedAt }: Documents["lease"]): boolean => releasedAt === null

/** The leader's first, the others by their numbers. */
export const leaseRows = (tables: Tables): ReadonlyArray<Documents["lease"]> =>
  [...tables.lease.values()]
    .map(({ document }) => document)
    .toSorted(
      (one, other) =>
        Number(other.key === leaderKey) - Number(one.key === leaderKey) || compareNumbered(one.key, other.key)
    )

/** "n2" before "n10". */
export const compareNumbered = (one: string, other: string): number => {
  const [a, b] = [partsOf(one), partsOf(other)]
  const differs = a.findIndex((part, index) => part !== b[index])
  if (differs === -1) return a.length - b.length
  const [x, y] = [a[differs]!, b[differs]]
  if (y === undefined) return 1
  const [m, n] = [Number(x), Number(y)]
  if (Number.isNaN(m) || Number.isNaN(n)) return x < y ? -1 : 1
  return m - n || x.length - y.length
}

function partsOf(text: string): ReadonlyArray<string> {
  return text.match(/\d+|\D+/g) ?? []
}

/** What it is to the others. */
export const roleOf = ({ leadsAs, member }: MemberRow): string => {
  if (member.leavingAt !== null) return "left"
  if (leadsAs !== undefined) return `leader, epoch ${leadsAs}`
  return member.weight === 0 ? "API only" : "follower"
}

/** "0–31" of the lease "buckets/0"; undefined of a lease that is for something else. */
export const bucketsOf = (lease: string): string | undefined => {
  const group = /^buckets\/(\d+)$/.exec(lease)?.[1]
  if (group === undefined) return undefined
  return `${Number(group) * bucketsPerGroup}–${(Number(group) + 1) * bucketsPerGroup - 1}`
}

/** The nodes whose consoles may be gone to when that at `origin` is lost. */
export const otherNodes = (
  tables: Tables,
  origin: string
): ReadonlyArray<{ readonly id: string; readonly origin: string }> =>
  memberRows(tables).flatMap(({ member: { address, id, leavingAt } }) => {
    if (leavingAt !== null || !URL.canParse(address)) return []
    const its = new URL(address)
    return /^https?:$/.test(its.protocol) && placeOf(its) !== placeOf(new URL(origin))
      ? [{ id, origin: its.origin }]
      : []
  })

/** This machine has several names. */
function placeOf({ hostname, port, protocol }: URL): string {
  return `${protocol}//${/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname) ? "localhost" : hostname}:${port}`
}
