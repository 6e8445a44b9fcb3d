import { assert, describe, it } from "@effect/vitest"
import * as RecentKeys from "./RecentKeys.ts"

const key = (nth: number, scope = "shop") => ({ scope, key: `k-${nth}` })

describe("RecentKeys", () => {
  it("knows the latest, of each scope its own, and forgets the one that was noted longest ago", () => {
    const recent = RecentKeys.make(2)
    assert.isFalse(recent.has(key(1)))
    recent.note(key(1))
    recent.note(key(2))
    assert.isTrue(recent.has(key(1)))
    assert.isFalse(recent.has(key(1, "bank")))
    recent.note(key(1))
    recent.note(key(3))
    assert.deepStrictEqual(
      [1, 2, 3].map((nth) => recent.has(key(nth))),
      [true, false, true]
    )
  })

  it("remembers nothing where no node keeps any", () => {
    const none = RecentKeys.RecentKeys.defaultValue()
    none.note(key(1))
    assert.isFalse(none.has(key(1)))
  })
})
