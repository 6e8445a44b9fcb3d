/** What a cluster on this machine does just now, from what its processes are and what its nodes say. Pure. */
import type { AgentView, LeaseView, MemberView } from "../../../core/api/Views.ts"
import { groupOf } from "../../../core/bucket/Bucket.ts"
import { lease as leaderLease } from "../../../core/Leader.ts"
import { bucketsPerGroup } from "../../../core/Limits.ts"
import { holderOf } from "../../../core/member/Member.ts"
import { table } from "../remote/table.ts"

type Lease = typeof LeaseView.Type
type Member = typeof MemberView.Type
type Agent = typeof AgentView.Type

/** What one node says; all null when nobody knows. */
export interface Told {
  readonly members: ReadonlyArray<Member> | null
  readonly leases: ReadonlyArray<Lease> | null
  readonly agents: ReadonlyArray<Agent> | null
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
  /** Buckets that are owned; null for agents, and when nobody knows. */
  readonly buckets: number | null
  /**
   * How long ago its last sign of life reached the database, of a node by its membership and its leases, of an agent by its heartbeat; null
   * when nobody knows.
   */
  readonly lagMillis: number | null
  readonly state: string
  readonly restarts: number
  readonly pid: number | null
  readonly address: string | null
}

export const statusRows = (processes: ReadonlyArray<Process>, told: Told): ReadonlyArray<Row> => {
  const { agents, leases, members } = told
  const live = leases === null || members === null ? null : liveLeases(leases, members)
  const nowMicros = latestOf(told)
  return processes.map(({ address, isCut, isPaused, kind, name, pid, readiness, restarts }): Row => {
    const member = kind === "agent" ? undefined : members?.find(({ id }) => id === name)
    const holder = member === undefined ? undefined : holderOf(member)
    const own = live?.filter((lease) => lease.holder === holder) ?? []
    const leads = own.find(({ key }) => key === leaderLease)
    const role = kind === "agent" ? "agent" : live === null ? "unknown" : leads === undefined ? "follower" : "leader"
    const states = [pid === null ? "down" : isPaused ? "paused" : (readiness ?? "runs"), ...(isCut ? ["cut off"] : [])]
    const groups = own.filter(({ key }) => groupOf(key) !== undefined)
    const heardAt = kind === "agent" ? agents?.find(({ id }) => id === name)?.heardAt : member?.seenAt
    const signs = [heardAt ?? -Infinity, ...own.map(({ renewedAt }) => renewedAt)]
    return {
      name,
      role,
      epoch: leads?.epoch ?? null,
      buckets: kind === "agent" || live === null ? null : groups.length * bucketsPerGroup,
      lagMillis: Math.max(...signs) === -Infinity ? null : (nowMicros - Math.max(...signs)) / 1_000,
      state: states.join(", "),
      restarts,
      pid,
      address
    }
  })
}

export const statusTable = (rows: ReadonlyArray<Row>): string =>
  table(
    ["member", "role", "epoch", "buckets", "lag", "state", "restarts", "pid", "address"],
    rows.map(({ address, buckets, epoch, lagMillis, name, pid, restarts, role, state }) => [
      name,
      role,
      textOf(epoch),
      textOf(buckets),
      lagMillis === null ? "" : `${(lagMillis / 1_000).toFixed(1)} s`,
      state,
      textOf(restarts),
      textOf(pid),
      address ?? ""
    ])
  )

/** Who holds the leader's lease, and as of which epoch; undefined while nobody does. */
export const leaderAmong = ({ leases, members }: Pick<Told, "leases" | "members">): Lease | undefined =>
  liveLeases(leases ?? [], members ?? []).find(({ key }) => key === leaderLease)

/** The name of the member that holds a lease. */
export const nameOfHolder = (holder: string): string => holder.slice(0, holder.lastIndexOf("/"))

/** By no clock of this machine: the database's is past every moment that it has written down. */
function latestOf({ agents, leases, members }: Told): number {
  return Math.max(
    ...(leases ?? []).map(({ renewedAt }) => renewedAt),
    ...(members ?? []).map(({ seenAt }) => seenAt),
    ...(agents ?? []).map(({ heardAt }) => heardAt ?? -Infinity)
  )
}

function liveLeases(leases: ReadonlyArray<Lease>, members: ReadonlyArray<Member>): ReadonlyArray<Lease> {
  const nowMicros = latestOf({ leases, members, agents: null })
  return leases.filter(({ expiresAt, releasedAt }) => releasedAt === null && expiresAt > nowMicros)
}

function textOf(value: number | null): string {
  return value === null ? "" : String(value)
}
