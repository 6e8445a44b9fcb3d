import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { afterRunning } from "./afterRunning.ts"

/** A host whose timers come late, each by its own delay, because the process was stopped. */
const host = (delays: ReadonlyArray<number>) => {
  let nowMillis = 0
  let timers = 0
  let pending: { readonly atMillis: number; readonly call: () => void } | undefined
  return {
    get nowMillis() {
      return nowMillis
    },
    setTimer: (call: () => void, millis: number) => {
      pending = { atMillis: nowMillis + millis + (delays[timers++] ?? 0), call }
      return () => {
        pending = undefined
      }
    },
    /** Lets the next timer fire; says whether there was one. */
    step: () => {
      const timer = pending
      pending = undefined
      if (timer === undefined) return false
      nowMillis = timer.atMillis
      timer.call()
      return true
    }
  }
}

describe("afterRunning", () => {
  it("takes what was asked for and every delay on top, for it was not running then", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), fc.array(fc.nat({ max: 600_000 })), (millis, delays) => {
        const it = host(delays)
        let calledAtMillis: number | undefined
        afterRunning(millis, () => (calledAtMillis = it.nowMillis), it.setTimer)
        let slices = 0
        while (it.step()) slices++
        const late = delays.slice(0, slices).reduce((sum, delay) => sum + delay, 0)
        assert.strictEqual(calledAtMillis, millis + late)
      })
    ))

  it("does nothing once it was given up, after however many slices", () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 19 }), (slices) => {
        const it = host([])
        let isCalled = false
        const giveUp = afterRunning(10_000, () => (isCalled = true), it.setTimer)
        for (let count = 0; count < slices; count++) it.step()
        giveUp()
        assert.isFalse(it.step())
        assert.isFalse(isCalled)
      })
    ))
})
