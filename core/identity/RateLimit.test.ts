import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { rateSliceMillis } from "../Limits.ts"
import { empty, give, intervalMicros, type Limit, problem, sliceFrom, sliceOf, taken } from "./RateLimit.ts"

const limit: fc.Arbitrary<Limit> = fc.record({
  perSecond: fc.integer({ min: 1, max: 5_000 }),
  burst: fc.integer({ min: 1, max: 5_000 })
})

describe("a limit", () => {
  it("gives at most its burst and what flows in, in any time, however it is asked", () =>
    fc.assert(
      fc.property(
        limit,
        fc.array(fc.record({ afterMicros: fc.nat(2_000_000), tokens: fc.integer({ min: 1, max: 50 }) }), {
          maxLength: 60
        }),
        (limit, asked) => {
          let now = 0
          let fullAt: number | undefined
          const given: Array<{ readonly at: number; readonly tokens: number }> = []
          for (const { afterMicros, tokens } of asked) {
            now += afterMicros
            const next = taken(fullAt, now, limit, tokens)
            if (next === undefined) continue
            fullAt = next
            given.push({ at: now, tokens })
          }
          for (const [from, first] of given.entries()) {
            let sum = 0
            for (const { at, tokens } of given.slice(from)) {
              sum += tokens
              assert.isAtMost(sum, limit.burst + (at - first.at) / intervalMicros(limit) + 1e-6)
            }
          }
        }
      )
    ))

  it("that was not used has its whole burst, and not one more", () =>
    fc.assert(
      fc.property(limit, fc.nat(), (limit, now) => {
        assert.isDefined(taken(undefined, now, limit, limit.burst))
        assert.isUndefined(taken(undefined, now, limit, limit.burst + 1))
      })
    ))

  it("is given out in slices that it has, of a quarter of a second at most", () =>
    fc.assert(
      fc.property(limit, (limit) => {
        const slice = sliceOf(limit)
        assert.isAtLeast(slice, 1)
        assert.isAtMost(slice, Math.max(1, limit.burst / 4))
        assert.isAtMost(slice, Math.max(1, limit.perSecond / 4))
      })
    ))

  it("that is none is refused in words", () => {
    assert.isUndefined(problem({ perSecond: 1, burst: 1 }))
    for (const wrong of [0, -1, 0.5, Number.NaN, Infinity]) {
      assert.match(problem({ perSecond: wrong, burst: 1 })!, /whole numbers from 1/)
      assert.match(problem({ perSecond: 1, burst: wrong })!, /whole numbers from 1/)
    }
  })
})

describe("a slice", () => {
  it("is given one by one until it is empty or its time is over", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.array(fc.nat(50_000), { maxLength: 150 }), (tokens, pauses) => {
        let slice = sliceFrom(tokens, 0)
        let now = 0
        let count = 0
        for (const pause of pauses) {
          now += pause
          const rest = give(slice, now)
          if (rest === undefined) {
            assert.isTrue(count === tokens || now >= rateSliceMillis * 1_000)
            continue
          }
          assert.isBelow(now, rateSliceMillis * 1_000)
          slice = rest
          count++
        }
        assert.isAtMost(count, tokens)
        assert.isUndefined(give(empty, now))
      })
    ))
})
