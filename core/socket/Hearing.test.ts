import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Hearing from "./Hearing.ts"

const looks = fc.array(fc.record({ comes: fc.nat({ max: 2 }), isPaused: fc.boolean() }), { maxLength: 30 })

/** What was judged after each look. */
const judge = (
  given: ReadonlyArray<{ readonly comes: number; readonly isPaused: boolean }>,
  silentIntervalsMax: number
) => {
  let heard = 0
  let hearing = Hearing.atFirst(0)
  return given.map(({ comes, isPaused }) => {
    heard += comes
    hearing = Hearing.look(hearing, { heard, isPaused })
    return Hearing.isLost(hearing, silentIntervalsMax)
  })
}

describe("the other end", () => {
  it("is lost exactly when so many looks in a row heard nothing, and none of them was deaf", () =>
    fc.assert(
      fc.property(looks, fc.integer({ min: 1, max: 5 }), (given, max) => {
        const lost = judge(given, max)
        for (const [index, isLost] of lost.entries()) {
          const last = given.slice(Math.max(0, index + 1 - max), index + 1)
          const isSilent = last.length === max && last.every(({ comes, isPaused }) => comes === 0 && !isPaused)
          assert.strictEqual(isLost, isSilent, `look ${index}`)
        }
      })
    ))

  it("is never lost by one look alone where two are asked for, as after a pause of our own", () => {
    assert.deepStrictEqual(
      judge(
        [
          { comes: 0, isPaused: false },
          { comes: 1, isPaused: false },
          { comes: 0, isPaused: false }
        ],
        2
      ),
      [false, false, false]
    )
  })
})
