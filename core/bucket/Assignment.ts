/**
 * Who should own which bucket group: a pure function of the members and their weights, so that nodes that see the same members
 * agree without talking. Nodes that see different members disagree for a while; the leases decide then.
 *
 * Weighted rendezvous hashing (Schindelhauer and Schomaker 2005) with a cap on the load (the idea of Mirrokni, Thorup and
 * Zadimoghaddam 2016). Pairs of group and member are taken best score first: the unique stable matching, as both
 * sides rank a pair by the same score. A member that joins takes only groups that prefer it, and gives none away.
 */
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { bucketLoadSlackRatio } from "../Limits.ts"

export interface Shareholder {
  readonly id: string
  readonly weight: number
}

/** Group to member id. Every group has an owner unless there are no members. Weights must be positive (`Member.shareholders`). */
export const assign = (
  groups: ReadonlyArray<number>,
  members: ReadonlyArray<Shareholder>
): ReadonlyMap<number, string> => {
  const weightTotal = members.reduce((sum, member) => sum + member.weight, 0)
  const room = new Map(
    members.map((member) => [
      member.id,
      Math.ceil(((groups.length * member.weight) / weightTotal) * (1 + bucketLoadSlackRatio))
    ])
  )
  const pairs = groups
    .flatMap((group) => members.map((member) => ({ group, id: member.id, score: score(group, member) })))
    .toSorted((a, b) => b.score - a.score || a.group - b.group || (a.id < b.id ? -1 : 1))
  const owners = new Map<number, string>()
  for (const { group, id } of pairs) {
    const left = room.get(id)!
    if (left === 0 || owners.has(group)) continue
    owners.set(group, id)
    room.set(id, left - 1)
  }
  return owners
}

/** The groups of one member, ascending. */
export const groupsOf = (assignment: ReadonlyMap<number, string>, id: string): ReadonlyArray<number> =>
  [...assignment]
    .filter(([, owner]) => owner === id)
    .map(([group]) => group)
    .toSorted((a, b) => a - b)

function score(group: number, member: Shareholder): number {
  const fraction = (scramble(fnv1a32(`${member.id}/${group}`)) + 0.5) / 2 ** 32
  return -member.weight / Math.log(fraction)
}

/** FNV leaves the high bits of similar texts alike; this spreads them (the finalizer of MurmurHash3). */
function scramble(hash: number): number {
  let mixed = hash
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
