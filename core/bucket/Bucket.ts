/**
 * From a key to its bucket, and from its bucket to the group that is owned under one lease.
 *
 * - B1 `placementOf` is the only way to a bucket: what is stored and what is looked for come from the same function.
 * - B2 Buckets never change while a row lives; who owns them does.
 */
import { bucketCount, bucketGroupCount, bucketsPerGroup } from "../Limits.ts"
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { and, ge, lt, add, multiply, type Condition, type Row } from "../ports/Condition.ts"

export interface Placement {
  readonly bucket: number
  readonly bucketGroup: number
}

export const placementOf = (key: string): Placement => {
  const bucket = fnv1a32(key) % bucketCount
  return { bucket, bucketGroup: Math.floor(bucket / bucketsPerGroup) }
}

/** The check of every table with a placement: the group is the one that its bucket lies in. */
export const isPlaced = (row: Row<Placement>): Condition =>
  and(
    ge(row.bucket, multiply(row.bucketGroup, bucketsPerGroup)),
    lt(row.bucket, add(multiply(row.bucketGroup, bucketsPerGroup), bucketsPerGroup))
  )

const leasePrefix = "buckets/"

/** The lease under which the buckets of a group are owned. */
export const leaseOf = (bucketGroup: number): string => `${leasePrefix}${bucketGroup}`

/** The group that a lease is for; `undefined` when it is for something else. */
export const groupOf = (lease: string): number | undefined =>
  lease.startsWith(leasePrefix) ? Number(lease.slice(leasePrefix.length)) : undefined

export const groups: ReadonlyArray<number> = Array.from({ length: bucketGroupCount }, (_, group) => group)
