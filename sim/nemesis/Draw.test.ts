import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Draw } from "./Draw.ts"

describe("Draw", () => {
  it("a draw depends on its name alone: others before it or beside it move nothing", () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.string()), (key, others) => {
        const expected = new Draw(key).integer("nodes", 0, 1_000_000)
        const draw = new Draw(key)
        for (const other of others) draw.child(other).fraction(other)
        assert.strictEqual(draw.integer("nodes", 0, 1_000_000), expected)
      })
    )
  })

  it("a shuffle keeps every item", () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.integer()), (key, items) => {
        const shuffled = new Draw(key).shuffle("order", items)
        const sorted = (list: ReadonlyArray<number>) => list.toSorted((left, right) => left - right)
        assert.deepStrictEqual(sorted(shuffled), sorted(items))
      })
    )
  })

  it("logarithmic draws stay between their bounds", () => {
    fc.assert(
      fc.property(fc.integer(), (key) => {
        const drawn = new Draw(key).logarithmic("rate", 0.001, 0.5)
        assert.isTrue(drawn >= 0.001 && drawn <= 0.5)
      })
    )
  })
})
