import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { memberJoinDebounceMillis } from "../Limits.ts"
import { type Member, holderOf, shareholders, versionOf } from "./Member.ts"

const nowMicros = 1_000_000_000_000
const member = (id: string, joinedSecondsAgo: number, weight = 1): Member => ({
  id,
  address: `${id}:8081`,
  incarnation: 1,
  weight,
  joinedAt: nowMicros - joinedSecondsAgo * 1_000_000,
  seenAt: nowMicros,
  leavingAt: null
})

describe("Member", () => {
  it("keeps buckets from a member that joined less than the debounce ago", () => {
    const live = [member("n1", 60), member("n2", 60), member("n3", 1)]
    assert.deepStrictEqual(
      shareholders(live, nowMicros).map((each) => each.id),
      ["n1", "n2"]
    )
  })

  it("lets everybody share while the whole cluster is new", () => {
    const live = [member("n1", 1), member("n2", 0)]
    assert.deepStrictEqual(shareholders(live, nowMicros), live)
  })

  it("leaves nobody out once the debounce has passed", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 10 })), (ages) => {
        const live = ages.map((age, index) => member(`n${index}`, age))
        const later = nowMicros + memberJoinDebounceMillis * 1_000
        assert.strictEqual(shareholders(live, later).length, live.length)
        if (live.length > 0) assert.isAbove(shareholders(live, nowMicros).length, 0)
      })
    ))

  it("names equal sets of members by equal versions, and a restart or another weight by another", () => {
    const [one, two] = [member("n1", 60), member("n2", 60)]
    assert.strictEqual(versionOf([one, two]), versionOf([two, one]))
    assert.notStrictEqual(versionOf([one, two]), versionOf([one, { ...two, incarnation: 2 }]))
    assert.notStrictEqual(versionOf([one, two]), versionOf([one, { ...two, weight: 2 }]))
    assert.strictEqual(holderOf({ ...one, incarnation: 7 }), "n1/7")
  })
})
