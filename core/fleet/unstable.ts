/** Why a fleet is not as it is wanted. Pure, and known to browsers. */
import type { Fleet, FleetStatus } from "./Fleet.ts"

type Counters = Pick<FleetStatus, "observedGeneration" | "live" | "running" | "error" | "deleting" | "parked">

/** In a few words; undefined when it is as it is wanted. */
export const unstable = ({
  deletionRequestedAt = null,
  desired,
  generation,
  pausedAt = null,
  status
}: Pick<Fleet, "desired" | "generation"> & { readonly status: Counters | null } & Partial<
    Pick<Fleet, "deletionRequestedAt" | "pausedAt">
  >): string | undefined => {
  if (deletionRequestedAt !== null) return "being deleted"
  if (pausedAt !== null) return "paused"
  if (status === null || status.observedGeneration !== generation) return "not counted since its last change"
  const parked = status.parked ?? 0
  if (status.error > parked) return `${status.error - parked} failed, to be replaced`
  if (status.running + parked < desired) return `${desired - status.running - parked} to start`
  if (status.live > desired) return `${status.live - desired} to be stopped`
  if (status.deleting > 0) return `${status.deleting} on their way out`
  return parked > 0 ? `${parked} parked after they failed too often` : undefined
}
