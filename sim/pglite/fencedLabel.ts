/**
 * Fences told on the wire: the production adapter writes a transaction's label into its first statement, and this puts the
 * fences behind it, so that what is committed can be judged by the fences that were asked for.
 */
import type { Fence } from "../../core/ports/Storage.ts"

const separator = " fenced "

/** "instance/start fenced buckets/3:4". Keys and epochs have to pass the adapter's comment unchanged. */
export const fencedLabel = (label: string, fences: ReadonlyArray<Fence> = []): string =>
  fences.length === 0 ? label : `${label}${separator}${fences.map(({ epoch, lease }) => `${lease}:${epoch}`).join(" ")}`

export const parseLabel = (text: string): { readonly label: string; readonly fences: ReadonlyArray<Fence> } => {
  const [label = "", fences] = text.split(separator)
  if (fences === undefined) return { label, fences: [] }
  return {
    label,
    fences: fences.split(" ").map((fence) => {
      const colon = fence.lastIndexOf(":")
      return { lease: fence.slice(0, colon), epoch: Number(fence.slice(colon + 1)) }
    })
  }
}
