/** Views as a cluster of three tells them: n1 leads. */
import type { LeaseView } from "../../../core/api/Views.ts"
import type { Process, Told } from "./ClusterStatus.ts"

const leaseSeconds = 6

export const memberOf = (id: string, seenAt: number) => ({
  id,
  address: `http://127.0.0.1/${id}`,
  incarnation: 2,
  weight: 1,
  joinedAt: 0,
  seenAt: seenAt * 1_000_000,
  leavingAt: null
})

/** Renewed at that second. */
export const leaseOf = (key: string, holder: string, at: number, epoch = 1): typeof LeaseView.Type => ({
  key,
  holder,
  epoch,
  acquiredAt: 0,
  renewedAt: at * 1_000_000,
  expiresAt: (at + leaseSeconds) * 1_000_000,
  releasedAt: null
})

export const told: Told = {
  members: ["n1", "n2", "n3"].map((id) => memberOf(id, 100)),
  leases: [
    leaseOf("buckets/0", "n1/2", 99),
    leaseOf("buckets/1", "n2/2", 99),
    leaseOf("buckets/2", "n2/2", 99),
    leaseOf("leader", "n1/2", 99, 7)
  ],
  agents: [{ id: "a1", incarnation: 1, registeredAt: 0, host: null, process: null, heardAt: 92_500_000 }]
}

export const processOf = (name: string, changes: Partial<Process> = {}): Process => ({
  name,
  kind: "node",
  address: `http://127.0.0.1/${name}`,
  pid: 10,
  isPaused: false,
  isCut: false,
  restarts: 0,
  readiness: "ready",
  ...changes
})
