/** What a cluster on this machine does just now, from what its processes are and what its nodes say. Pure. */
import type { LeaseView, MemberView } from "../../../core/api/Views.ts"
import { groupOf } from "../../../core/bucket/Bucket.ts"
import { lease as leaderLease } from "../../../core/Leader.ts"
import { holderOf } from "../../../core/member/Member.ts"
import { table } from "../remote/table.ts"

type Lease = typeof LeaseView.Type
type Member = typeof MemberView.Type

/** What one node says; both null when nobody knows. */
export interface Told {
  readonly members: ReadonlyArray<Member> | null
  readonly leases: ReadonlyArray<Lease> | null
}

export interface Process {
  readonly name: string
  readonly kind: "node" | "agent"
  readonly address: string | null
  /** Null while it is down. */
  readonly pid: number | null
  /** By SIGSTOP. */
  readonly isPaused: boolean
  readonly isCut: boolean
  readonly restarts: number
  /** Of a node: "ready", "no answer", …. */
  readonly readiness: string | null
}

export interface Row {
  readonly name: string
  readonly role: "leader" | "follower" | "agent" | "unknown"
  /** Of the leader's lease; null for who does not lead. */
  readonly epoch: number | null
  /** Groups of buckets that are owned; null for agents, and when nobody knows. */
  readonly groups: number | null
  readonly state: string
  readonly restarts: number
  readonly pid: number | null
  readonly address: string | null
}

export const statusRows = (processes: ReadonlyArray<Process>, { leases, members }: Told): ReadonlyArray<Row> => {
  const live = leases === null || members === null ? null : liveLeases(leases, members)
  return processes.map(({ address, isCut, isPaused, kind, name, pid, readiness, restarts }): Row => {
    const member = members?.find(({ id }) => id === name)
    const own = member === undefined ? [] : (live?.filter(({ holder }) => holder === holderOf(member)) ?? [])
    const leads = own.find(({ key }) => key === leaderLease)
    const role = kind === "agent" ? "agent" : live === null ? "unknown" : leads === undefined ? "follower" : "leader"
    const states = [pid === null ? "down" : isPaused ? "paused" : (readiness ?? "runs"), ...(isCut ? ["cut off"] : [])]
    return {
      name,
      role,
      epoch: leads?.epoch ?? null,
      groups: kind === "agent" || live === null ? null : own.filter(({ key }) => groupOf(key) !== undefined).length,
      state: states.join(", "),
      restarts,
      pid,
      address
    }
  })
}

export const statusTable = (rows: ReadonlyArray<Row>): string =>
  table(
    ["member", "role", "epoch", "groups", "state", "restarts", "pid", "address"],
    rows.map(({ address, epoch, groups, name, pid, restarts, role, state }) => [
      name,
      role,
      textOf(epoch),
      textOf(groups),
      state,
      textOf(restarts),
      textOf(pid),
      address ?? ""
    ])
  )

/** Who holds the leader's lease, and as of which epoch; undefined while nobody does. */
export const leaderAmong = ({ leases, members }: Told): Lease | undefined =>
  liveLeases(leases ?? [], members ?? []).find(({ key }) => key === leaderLease)

/** The name of the member that holds a lease. */
export const nameOfHolder = (holder: string): string => holder.slice(0, holder.lastIndexOf("/"))

/** By no clock of this machine: the database's is past every moment that it has written down. */
function liveLeases(leases: ReadonlyArray<Lease>, members: ReadonlyArray<Member>): ReadonlyArray<Lease> {
  const moments = [...leases.map(({ renewedAt }) => renewedAt), ...members.map(({ seenAt }) => seenAt)]
  const nowMicros = Math.max(...moments)
  return leases.filter(({ expiresAt, releasedAt }) => releasedAt === null && expiresAt > nowMicros)
}

function textOf(value: number | null): string {
  return value === null ? "" : String(value)
}
