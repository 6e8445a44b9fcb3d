import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Digest } from "./Digest.ts"

const digestOf = (...values: ReadonlyArray<unknown>): string => {
  const digest = new Digest()
  for (const value of values) digest.mixValue(value)
  return digest.value
}

describe("the digest of a value", () => {
  const pairs: ReadonlyArray<readonly [unknown, unknown]> = [
    [{ a: { b: 1 }, c: 2 }, { a: { b: 1, c: 2 } }],
    [true, 1],
    [false, 2],
    [null, 3],
    [undefined, 4],
    ["1.5", 1.5],
    ["7", 7n],
    [[1, 2], { 0: 1, 1: 2 }],
    [[[1], 2], [[1, 2]]],
    [[], {}],
    [new Set([1]), [1]],
    [new Uint8Array([1]), [1]],
    [{ a: undefined }, {}]
  ]
  for (const [left, right] of pairs) {
    it(`tells ${show(left)} from ${show(right)}`, () => assert.notStrictEqual(digestOf(left), digestOf(right)))
  }

  it("is the same for equal JSON and another for different JSON, whatever was mixed before", () =>
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.integer(), (left, right, before) => {
        const isEqual = JSON.stringify(left) === JSON.stringify(right)
        assert.strictEqual(digestOf(before, left) === digestOf(before, right), isEqual)
        assert.strictEqual(digestOf(before, left), digestOf(before, JSON.parse(JSON.stringify(left))))
      }),
      { seed: 1, numRuns: 500 }
    ))
})

function show(value: unknown): string {
  if (value instanceof Set || value instanceof Uint8Array) return `${value.constructor.name} ${[...value].join()}`
  return typeof value === "bigint" ? `${value}n` : (JSON.stringify(value) ?? "undefined")
}
