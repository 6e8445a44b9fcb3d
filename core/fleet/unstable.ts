/** Why a fleet is not as it is wanted. Pure, and known to browsers. */
import type { FleetView } from "../api/Views.ts"

/** In a few words; undefined when it is as it is wanted. */
export const unstable = ({
  deletionRequestedAt = null,
  desired,
  generation,
  pausedAt = null,
  status
}: Pick<FleetView, "desired" | "generation" | "status"> &
  Partial<Pick<FleetView, "deletionRequestedAt" | "pausedAt">>): string | undefined => {
  if (deletionRequestedAt !== null) return "being deleted"
  if (pausedAt !== null) return "paused"
  if (status === null || status.observedGeneration !== generation) return "not counted since its last change"
  if (status.error > 0) return `${status.error} failed, to be replaced`
  if (status.running < desired) return `${desired - status.running} to start`
  if (status.live > desired) return `${status.live - desired} to be stopped`
  return status.deleting > 0 ? `${status.deleting} on their way out` : undefined
}
