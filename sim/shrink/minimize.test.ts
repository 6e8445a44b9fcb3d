import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { least, minimize, type Steps } from "./minimize.ts"

/** Drives steps with an oracle; says what they found, and how many questions it took. */
const drive = <Q, A, R>(steps: Steps<Q, A, R>, answer: (question: Q) => R) => {
  let asked = 0
  let next = steps.next()
  while (next.done !== true) {
    asked++
    next = steps.next(answer(next.value))
  }
  return { asked, found: next.value }
}

function* ask<Q>(question: Q): Steps<Q, boolean, boolean> {
  return yield question
}

describe("delta debugging", () => {
  it("of a failure that needs some of the items keeps exactly those, in their order", () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { maxLength: 60 }), fc.infiniteStream(fc.boolean()), (items, coins) => {
        const needed = items.filter(() => coins.next().value === true).slice(0, 5)
        const fails = (kept: ReadonlyArray<number>) => needed.every((item) => kept.includes(item))
        assert.deepStrictEqual(drive(minimize(items, ask), fails).found, needed)
      })
    ))

  it("ends where no single item can be spared, whatever the failure needs", () =>
    fc.assert(
      fc.property(fc.func(fc.boolean()), fc.uniqueArray(fc.nat(30), { maxLength: 12 }), (odd, items) => {
        const fails = (kept: ReadonlyArray<number>) => kept.length === items.length || odd(kept.join())
        const { found } = drive(minimize(items, ask), fails)
        assert.isTrue(fails(found))
        if (found.length < 2) return
        for (const item of found) assert.isFalse(fails(found.filter((other) => other !== item)))
      })
    ))

  it("asks some dozens of questions to find two of a thousand", () => {
    const items = Array.from({ length: 1_000 }, (_, index) => index)
    const { asked, found } = drive(minimize(items, ask), (kept) => kept.includes(3) && kept.includes(700))
    assert.deepStrictEqual(found, [3, 700])
    assert.isBelow(asked, 60)
  })

  it("asks first whether nothing at all is needed", () =>
    assert.deepStrictEqual(
      drive(minimize([1, 2, 3], ask), () => true),
      { asked: 1, found: [] }
    ))
})

describe("the least number that fails", () => {
  it("is found by halving", () =>
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), fc.nat(1_000), (minimum, width, threshold) => {
        const most = minimum + width
        const { asked, found } = drive(
          least(minimum, most, (value) => ask(value)),
          (value) => value >= threshold
        )
        // What is above the most was never in question: it is known to fail.
        assert.strictEqual(found, Math.min(most, Math.max(minimum, threshold)))
        assert.isAtMost(asked, 12)
      })
    ))
})
