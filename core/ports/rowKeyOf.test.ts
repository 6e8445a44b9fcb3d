import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { rowKeyOf } from "./rowKeyOf.ts"

const columns = ["a", "b", "c"]
const keyOf = (values: ReadonlyArray<unknown>) =>
  rowKeyOf(columns.slice(0, values.length), Object.fromEntries(values.map((value, index) => [columns[index], value])))

describe("what a row is called", () => {
  it("is its values, as they are where no separator is in them", () => {
    assert.strictEqual(keyOf(["one"]), "one")
    assert.strictEqual(keyOf(["p/alice/fleets/put", "k1"]), "p/alice/fleets/put/k1")
    assert.strictEqual(keyOf(["hier, là-bas", 1_795_000_000_000_001, false]), "hier, là-bas/1795000000000001/false")
  })

  it("tells where one value ends and the next begins", () => {
    assert.strictEqual(keyOf(["a/b", "c"]), "a/b/c")
    assert.strictEqual(keyOf(["a", "b/c"]), "a/b%2Fc")
    assert.strictEqual(keyOf(["a", "b%2Fc"]), "a/b%252Fc")
  })

  it("is another for every other row, also where the same text is divided otherwise", () => {
    const part = fc.string({ unit: fc.constantFrom("a", "/", "%", "2", "F", "5"), maxLength: 3 })
    const parts = fc.array(part, { minLength: 4, maxLength: 6 })
    const cuts = fc.subarray([1, 2, 3], { minLength: 2, maxLength: 2 })
    const divided = (of: ReadonlyArray<string>, cuts: ReadonlyArray<number>) =>
      [of.slice(0, cuts[0]), of.slice(cuts[0], cuts[1]), of.slice(cuts[1])].map((each) => each.join("/"))
    fc.assert(
      fc.property(parts, cuts, cuts, (of, first, second) => {
        const [left, right] = [divided(of, first), divided(of, second)]
        assert.strictEqual(keyOf(left) === keyOf(right), left.join("\n") === right.join("\n"))
      })
    )
  })
})
