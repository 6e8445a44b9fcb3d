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

  it("fills by the time that has passed, up to the burst; a clock that stands still or goes back changes nothing", () => {
    const bucket = { burst: 5, perSecond: 10, tokens: 0.5, atMicros: 1e15 }
    assert.deepStrictEqual(TokenBucket.refill(bucket, 1e15 + 100_000), {
      ...bucket,
      tokens: 1.5,
      atMicros: 1e15 + 100_000
    })
    assert.strictEqual(TokenBucket.refill(bucket, 1e15 + 60_000_000).tokens, 5)
    assert.strictEqual(TokenBucket.refill(bucket, 1e15), bucket)
    assert.strictEqual(TokenBucket.refill(bucket, 1e15 - 1), bucket)
  })

  it("says to the microsecond when the next may start, which is at once while there is a token", () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), (tenths) => {
        const bucket = { burst: 5, perSecond: 10, tokens: tenths / 10, atMicros: 0 }
        const wait = TokenBucket.waitMicros(bucket)
        assert.isAtLeast(wait, 0)
        assert.strictEqual(wait === 0, TokenBucket.take(bucket) !== undefined)
        if (wait === 0) return
        // What flows in is a fraction, and may lack its last bit.
        assert.isDefined(TokenBucket.take(TokenBucket.refill(bucket, wait + 1)))
        assert.isUndefined(TokenBucket.take(TokenBucket.refill(bucket, wait - 1)))
      })
    ))
})
