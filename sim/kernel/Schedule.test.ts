import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { changePointsOf, fifo, pct, random } from "./Schedule.ts"

describe("change points", () => {
  it("are few and long, the same for the same incarnation", () =>
    fc.assert(
      fc.property(fc.nat(), (key) => {
        const points = changePointsOf(pct, key)
        assert.deepStrictEqual(changePointsOf(pct, key), points)
        assert.isAtLeast(points.size, 1)
        assert.isAtMost(points.size, 2)
        for (const [nth, stallMicros] of points) {
          assert.isAtLeast(nth, 0)
          assert.isAtLeast(stallMicros, 1_000)
          assert.isAtMost(stallMicros, 12_000_000)
        }
      })
    ))

  it("are anywhere in an incarnation, early more often than late", () => {
    const points = Array.from({ length: 2_000 }, (_, key) => [...changePointsOf(pct, key).keys()]).flat()
    assert.isAbove(points.filter((nth) => nth < 100).length, points.length / 4)
    assert.isAbove(points.filter((nth) => nth > 2_000).length, points.length / 20)
  })

  it("are not for other strategies", () => {
    assert.strictEqual(changePointsOf(random, 7).size, 0)
    assert.strictEqual(changePointsOf(fifo, 7).size, 0)
  })
})
