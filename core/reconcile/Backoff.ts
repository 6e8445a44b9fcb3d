/** Exponential backoff for one key, with full jitter in the upper half (client-go's figures; jitter as Brooker 2015). */
import { reconcileBackoffMillisMin } from "../Limits.ts"

/** After `failures` in a row (at least 1); `fraction` is a fresh draw from 0 to 1. */
export const backoffMillis = (
  failures: number,
  at: { readonly fraction: number; readonly millisMax: number }
): number => {
  const ceiling = Math.min(at.millisMax, reconcileBackoffMillisMin * 2 ** (failures - 1))
  return ceiling / 2 + (ceiling / 2) * at.fraction
}
