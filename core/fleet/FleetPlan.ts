/**
 * How many, and which: the pure plan that makes the live instances of a fleet exactly as many as are desired.
 *
 * Live is everything whose deletion was not asked for, whatever its state, so that instances on their way are neither
 * created twice nor left over. What has failed is replaced, unless it was given up. Victims: failed, then not yet running, then the newest.
 */
import type { Instance } from "../instance/Instance.ts"

export type Member = Pick<Instance, "uid" | "ordinal" | "state" | "createdAt" | "failures">

export interface FleetPlan {
  /** Ordinals to create: the lowest that no live instance has. */
  readonly create: ReadonlyArray<number>
  /** Uids whose deletion is to be asked for. */
  readonly remove: ReadonlyArray<string>
}

export const nothing: FleetPlan = { create: [], remove: [] }

/** What is to be done for it: nothing while it is paused, unless it is being deleted. */
export const planOf = (
  fleet: { readonly desired: number; readonly pausedAt: number | null; readonly deletionRequestedAt: number | null },
  live: ReadonlyArray<Member>,
  isGivenUp: (member: Member) => boolean
): FleetPlan => (isHeld(fleet) ? nothing : plan(fleet.desired, live, isGivenUp))

/** It is paused, and not on its way out. */
export const isHeld = (fleet: {
  readonly pausedAt: number | null
  readonly deletionRequestedAt: number | null
}): boolean => fleet.pausedAt !== null && fleet.deletionRequestedAt === null

/** `isGivenUp`: what has failed, and is not replaced any more. */
export const plan = (
  desired: number,
  live: ReadonlyArray<Member>,
  isGivenUp: (member: Member) => boolean = () => false
): FleetPlan => {
  const victims = live.toSorted(byExpendability)
  const surplus = Math.max(0, live.length - desired)
  const leaving = victims.filter((member, index) => index < surplus || (member.state === "ERROR" && !isGivenUp(member)))
  const staying = live.filter((member) => !leaving.includes(member))
  const taken = new Set(staying.map((member) => member.ordinal))
  const create: Array<number> = []
  for (let ordinal = 0; create.length < desired - staying.length; ordinal++) {
    if (!taken.has(ordinal)) create.push(ordinal)
  }
  return { create, remove: leaving.map((member) => member.uid) }
}

function byExpendability(a: Member, b: Member): number {
  return rank(a) - rank(b) || b.createdAt - a.createdAt || b.ordinal! - a.ordinal!
}

function rank(member: Member): number {
  if (member.state === "ERROR") return 0
  return member.state === "PENDING" || member.state === "CREATING" ? 1 : 2
}
