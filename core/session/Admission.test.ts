/** Who is let in, and when the others are asked to come again. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { handshakeRetrySecondsMax } from "../Limits.ts"
import { atFirst, type Door, knock } from "./Admission.ts"

const limits = { perSecond: 20, burst: 5, sessionsMax: 1_000 }

/** When each of those who knock is let in, and what the others are told. */
const knocks = (atMicros: ReadonlyArray<number>) => {
  let door: Door = atFirst(limits, 0)
  return atMicros.map((nowMicros) => {
    const knocked = knock(door, nowMicros)
    door = knocked.door
    return { nowMicros, retryAfterSeconds: knocked.retryAfterSeconds }
  })
}

describe("a node", () => {
  it("lets in no more than its limit in any second, whoever comes when", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000_000 }), { minLength: 1, maxLength: 400 }), (moments) => {
        const taken = knocks(moments.toSorted((left, right) => left - right))
          .filter(({ retryAfterSeconds }) => retryAfterSeconds === undefined)
          .map(({ nowMicros }) => nowMicros)
        for (const [index, from] of taken.entries()) {
          const within = taken.slice(index).filter((each) => each < from + 1_000_000)
          assert.isAtMost(within.length, limits.perSecond + limits.burst)
        }
      })
    ))

  it("asks each of a crowd to come when those before him are in, and not all at once", () => {
    const told = knocks(Array.from({ length: 105 }, () => 0))
    const seconds = told.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? [])
    assert.lengthOf(seconds, 100)
    for (let second = 1; second <= 5; second++) {
      assert.lengthOf(
        seconds.filter((each) => each === second),
        limits.perSecond,
        `${second} s`
      )
    }
  })

  it("forgets a crowd that has had the time to come back, and asks nobody to stay away for longer than the longest", () => {
    const crowd = Array.from({ length: 10_000 }, () => 0)
    const [last, later] = knocks([...crowd, ...Array.from({ length: 6 }, () => 600_000_000)]).slice(-7, 10_006)
    assert.strictEqual(last?.retryAfterSeconds, handshakeRetrySecondsMax)
    assert.isUndefined(later?.retryAfterSeconds)
    assert.strictEqual(knocks([...crowd, ...Array.from({ length: 6 }, () => 600_000_000)]).at(-1)?.retryAfterSeconds, 1)
  })
})
