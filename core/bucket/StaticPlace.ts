/**
 * Who owns which bucket group by configuration alone, as in development: index I of N owns every group whose number is I modulo N. A
 * group comes of a key by FNV-32a (`Bucket.ts`), so no table of members is asked.
 *
 * What it costs, and why it is for development: the groups of a node that is gone are nobody's until it is back, and another N moves
 * almost all of them.
 */
import * as Context from "effect/Context"
import { bucketGroupCount } from "../Limits.ts"
import { groups } from "./Bucket.ts"

export interface StaticPlace {
  /** From 0. */
  readonly index: number
  readonly count: number
}

/** That of this node; undefined where it has a share among the members instead. */
export const Configured: Context.Reference<StaticPlace | undefined> = Context.Reference<StaticPlace | undefined>(
  "stormglass/core/bucket/StaticPlace",
  { defaultValue: () => undefined }
)

/** Why it is refused, if it is. */
export const problem = ({ count, index }: StaticPlace): string | undefined => {
  if (!Number.isInteger(count) || count < 1 || count > bucketGroupCount) {
    return `${count} nodes: there are ${bucketGroupCount} bucket groups to be owned, so from 1 to ${bucketGroupCount}`
  }
  if (!Number.isInteger(index) || index < 0 || index >= count) {
    return `index ${index} of ${count}: they go from 0 to ${count - 1}`
  }
  return undefined
}

export const groupsOf = ({ count, index }: StaticPlace): ReadonlyArray<number> =>
  groups.filter((group) => group % count === index)

/** The lease of whoever is at an index, so that nobody else is. */
export const leaseOf = ({ index }: StaticPlace): string => `static/${index}`
