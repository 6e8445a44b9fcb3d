import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as TokenBucket from "./TokenBucket.ts"

describe("TokenBucket", () => {
  it("lets a burst through, then the rate (burst 2, 10 a second)", () => {
    let bucket: TokenBucket.TokenBucket = TokenBucket.make({ burst: 2, perSecond: 10, nowMicros: 0 })
    bucket = TokenBucket.take(bucket)!
    bucket = TokenBucket.take(bucket)!
    assert.isUndefined(TokenBucket.take(bucket))
    assert.strictEqual(TokenBucket.waitMicros(bucket), 100_000)
    assert.isUndefined(TokenBucket.take(TokenBucket.refill(bucket, 99_000)))
    assert.isDefined(TokenBucket.take(TokenBucket.refill(bucket, 100_000)))
  })

  it("never gives more than the burst and the rate allow, however it is asked", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1_000, max: 500_000 }), { maxLength: 100 }), (steps) => {
        let bucket: TokenBucket.TokenBucket = TokenBucket.make({ burst: 5, perSecond: 10, nowMicros: 0 })
        let nowMicros = 0
        let latestMicros = 0
        let taken = 0
        for (const step of steps) {
          nowMicros += step
          latestMicros = Math.max(latestMicros, nowMicros)
          bucket = TokenBucket.refill(bucket, nowMicros)
          const next = TokenBucket.take(bucket)
          if (next === undefined) continue
          bucket = next
          taken++
        }
        assert.isAtMost(taken, 5 + (latestMicros / 1_000_000) * 10 + 1e-6)
      })
    ))
})
