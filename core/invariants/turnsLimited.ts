/**
 * A limit holds on all nodes together: in any time t, at most burst + perSecond × (t + slice) requests. As a leaky bucket (ITU-T I.371): it leaks
 * at the rate of the limit, each request is a drop, and it never runs over.
 */
import type { TurnTaken } from "../identity/IdentityFacts.ts"
import { clockDriftRatioMax, rateSliceMillis } from "../Limits.ts"
import { type Invariant, Violation } from "./Invariant.ts"

interface Bucket {
  readonly level: number
  readonly atMicros: number
}

export const turnsLimited: Invariant<Map<string, Bucket>> = {
  name: "turns-limited",
  states: "Nobody has more turns on all nodes together than its limit gives.",
  initial: () => new Map(),
  step: (buckets, { atMicros, fact }) => {
    if (fact._tag !== "TurnTaken") return buckets
    const { burst, perSecond, scope } = fact as TurnTaken
    const rate = perSecond * (1 + clockDriftRatioMax)
    const before = buckets.get(scope) ?? { level: 0, atMicros }
    const level = Math.max(0, before.level - (rate * (atMicros - before.atMicros)) / 1_000_000) + 1
    const most = burst + Math.ceil((rate * rateSliceMillis) / 1_000)
    if (level > most) return new Violation(`${scope} has had more than its share`, { ...fact, level, most })
    return buckets.set(scope, { level, atMicros })
  }
}
