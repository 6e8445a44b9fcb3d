/**
 * Which keys a node has lately tried to claim: a hint that a request is a repetition, so that its answer is read before anything is
 * written. Nothing rests on it; a hint that is wrong, or missing because another node had the first request, costs a statement.
 */
import * as Context from "effect/Context"
import { fnv1a32 } from "../hash/fnv1a32.ts"
import { recentKeysMax } from "../Limits.ts"
import type { Identity } from "./IdempotencyKey.ts"

export interface Hints {
  /** Whether this key, or one that looks like it, was noted. */
  readonly has: (key: Identity) => boolean
  readonly note: (key: Identity) => void
}

/** Of a node. Without one nothing is remembered. */
export const RecentKeys: Context.Reference<Hints> = Context.Reference<Hints>("stormglass/core/idempotency/RecentKeys", {
  defaultValue: () => ({ has: () => false, note: () => undefined })
})

/** Remembers the latest keys, by hashes of them. */
export const make = (keysMax: number = recentKeysMax): Hints => {
  const noted = new Set<number>()
  return {
    has: (key) => noted.has(hashOf(key)),
    note: (key) => {
      const hash = hashOf(key)
      noted.delete(hash)
      noted.add(hash)
      // In the order of noting.
      if (noted.size > keysMax) for (const oldest of noted) return void noted.delete(oldest)
    }
  }
}

function hashOf({ key, scope }: Identity): number {
  return fnv1a32(`${scope}\n${key}`)
}
