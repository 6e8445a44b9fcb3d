import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as TokenBucket from "./TokenBucket.ts"

describe("TokenBucket", () => {
  it("lets a burst through, then the rate (burst 2, 10 a second)", () => {
    let bucket: TokenBucket.TokenBucket = TokenBucket.make({ burst: 2, perSecond: 10, nowMicros: 0 })
    const waits = Array.from({ length: 4 }, () => {
      const reserved = TokenBucket.reserve(bucket)
      bucket = reserved.bucket
      return reserved.waitMicros
    })
    assert.deepStrictEqual(waits, [0, 0, 100_000, 200_000])
    assert.strictEqual(TokenBucket.reserve(TokenBucket.refill(bucket, 300_000)).waitMicros, 0)
  })

  it("never lets go on more than the burst and the rate allow, however it is asked", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1_000, max: 500_000 }), { maxLength: 100 }), (steps) => {
        let bucket: TokenBucket.TokenBucket = TokenBucket.make({ burst: 5, perSecond: 10, nowMicros: 0 })
        let nowMicros = 0
        let latestMicros = 0
        const goOn: Array<number> = []
        for (const step of steps) {
          nowMicros += step
          latestMicros = Math.max(latestMicros, nowMicros)
          const reserved = TokenBucket.reserve(TokenBucket.refill(bucket, nowMicros))
          bucket = reserved.bucket
          goOn.push(latestMicros + reserved.waitMicros)
        }
        for (const [nth, micros] of goOn.toSorted((left, right) => left - right).entries()) {
          assert.isAtMost(nth + 1, 5 + (micros / 1_000_000) * 10 + 1e-6)
        }
      })
    ))

  it("gives a token only where there is one", () =>
    fc.assert(
      fc.property(fc.integer({ min: -20, max: 50 }), (tenths) => {
        const bucket = { burst: 5, perSecond: 10, tokens: tenths / 10, atMicros: 0 }
        const taken = TokenBucket.take(bucket)
        assert.deepStrictEqual(taken, tenths < 10 ? undefined : TokenBucket.reserve(bucket).bucket)
        assert.strictEqual(TokenBucket.reserve(bucket).waitMicros === 0, taken !== undefined)
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
})
