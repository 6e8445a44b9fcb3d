import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { memberJoinDebounceMillis } from "../Limits.ts"
import { type Member, holderOf, settledAmong, shareholders, versionOf } from "./Member.ts"

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

const sharing = (live: ReadonlyArray<Member>, at: number, before: ReadonlyArray<string> = []) =>
  shareholders(live, settledAmong(live, { nowMicros: at, before: new Set(before) }))

describe("Member", () => {
  it("keeps buckets from a member that joined less than the debounce ago", () => {
    const live = [member("n1", 60), member("n2", 60), member("n3", 1)]
    assert.deepStrictEqual(
      sharing(live, nowMicros).map((each) => each.id),
      ["n1", "n2"]
    )
  })

  it("lets everybody share while the whole cluster is new", () => {
    const live = [member("n1", 1), member("n2", 0)]
    assert.deepStrictEqual(sharing(live, nowMicros), live)
  })

  it("leaves nobody out once the debounce has passed", () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 10 })), (ages) => {
        const live = ages.map((age, index) => member(`n${index}`, age))
        const later = nowMicros + memberJoinDebounceMillis * 1_000
        assert.strictEqual(sharing(live, later).length, live.length)
        if (live.length > 0) assert.isAbove(sharing(live, nowMicros).length, 0)
      })
    ))

  it("takes nobody's share when the database's clock is set back, neither at once nor while it catches up", () => {
    const live = [member("n1", 10), member("n2", 20), member("n3", 30)]
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }), (backSeconds, afterSeconds) => {
        const now = nowMicros + (afterSeconds - backSeconds) * 1_000_000
        assert.deepStrictEqual(sharing(live, now, live.map(holderOf)), live)
      })
    )
  })

  it("leaves a node that has just begun to look with the same shares, but within the debounce of a join", () => {
    const live = [member("n1", 10), member("n2", 20)]
    const at = (seconds: number) => sharing(live, nowMicros + seconds * 1_000_000).map((each) => each.id)
    assert.deepStrictEqual(at(-60), ["n1", "n2"])
    assert.deepStrictEqual(at(-10), ["n2"])
    assert.deepStrictEqual(at(-6), ["n1", "n2"])
  })

  it("names equal sets of members by equal versions, and a restart or another weight by another", () => {
    const [one, two] = [member("n1", 60), member("n2", 60)]
    assert.strictEqual(versionOf([one, two]), versionOf([two, one]))
    assert.notStrictEqual(versionOf([one, two]), versionOf([one, { ...two, incarnation: 2 }]))
    assert.notStrictEqual(versionOf([one, two]), versionOf([one, { ...two, weight: 2 }]))
    assert.strictEqual(holderOf({ ...one, incarnation: 7 }), "n1/7")
  })
})
