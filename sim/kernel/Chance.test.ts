import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Chance from "./Chance.ts"

describe("Chance", () => {
  it("a decision depends on its key and count alone, whatever was asked before", () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), fc.array(fc.nat()), (seed, nth, asked) => {
        const key = Chance.derive(Chance.root(seed), "link/a>b")
        const alone = Chance.bits(key, nth)
        for (const other of asked) Chance.bits(key, other)
        assert.strictEqual(Chance.bits(key, nth), alone)
      })
    )
  })

  it("fractions of one key fill [0, 1) evenly (n = 100,000, ten bins within 3 %)", () => {
    const key = Chance.root("even")
    const bins = Array.from({ length: 10 }, () => 0)
    for (let nth = 0; nth < 100_000; nth++) {
      const bin = Math.floor(Chance.fraction(key, nth) * 10)
      bins[bin] = (bins[bin] as number) + 1
    }
    for (const count of bins) assert.isTrue(count > 9_700 && count < 10_300, `${bins}`)
  })

  it("children with different names take different decisions (1,000 names, no key twice)", () => {
    const root = Chance.root("names")
    const keys = new Set(Array.from({ length: 1_000 }, (_, index) => Chance.derive(root, `node/n${index}`)))
    assert.strictEqual(keys.size, 1_000)
  })

  it("neighbouring counts are uncorrelated (lag 1, n = 50,000)", () => {
    const key = Chance.root("lag")
    let covariance = 0
    for (let nth = 0; nth < 50_000; nth++) {
      covariance += (Chance.fraction(key, nth) - 0.5) * (Chance.fraction(key, nth + 1) - 0.5)
    }
    assert.isTrue(Math.abs(covariance / 50_000) < 0.002, String(covariance / 50_000))
  })

  it("integers stay within their bounds and reach both", () => {
    const seen = new Set<number>()
    for (let nth = 0; nth < 500; nth++) seen.add(Chance.integer(7, nth, -2, 3))
    assert.deepStrictEqual(
      [...seen].toSorted((left, right) => left - right),
      [-2, -1, 0, 1, 2, 3]
    )
  })
})
