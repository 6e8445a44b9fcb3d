import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bucketCount, bucketGroupCount, bucketLoadSlackRatio } from "../Limits.ts"
import { type Shareholder, assign, groupsOf } from "./Assignment.ts"
import { groups } from "./Bucket.ts"

const members = fc.uniqueArray(
  fc.record({ id: fc.stringMatching(/^[a-z]{1,8}$/), weight: fc.integer({ min: 1, max: 8 }) }),
  { selector: (member) => member.id, minLength: 1, maxLength: 12 }
)

const named = (count: number): ReadonlyArray<Shareholder> =>
  Array.from({ length: count }, (_, index) => ({ id: `n${index + 1}`, weight: 1 }))

describe("Assignment", () => {
  it("gives every group one owner among the members, in whatever order they are listed", () =>
    fc.assert(
      fc.property(members, (all) => {
        const owners = assign(groups, all)
        assert.strictEqual(owners.size, bucketGroupCount)
        for (const owner of owners.values()) assert.isTrue(all.some((member) => member.id === owner))
        assert.deepStrictEqual(new Map(assign(groups, all.toReversed())), new Map(owners))
      })
    ))

  // covers A23
  it("loads nobody above the fair share of its weight and the slack", () =>
    fc.assert(
      fc.property(members, (all) => {
        const owners = assign(groups, all)
        const weightTotal = all.reduce((sum, member) => sum + member.weight, 0)
        for (const { id, weight } of all) {
          const fair = (bucketGroupCount * weight) / weightTotal
          assert.isAtMost(groupsOf(owners, id).length, Math.ceil(fair * (1 + bucketLoadSlackRatio)))
        }
      })
    ))

  it("assigns nothing when there is nobody", () => assert.strictEqual(assign(groups, []).size, 0))

  // covers A23
  it("moves about 1 / (N + 1) of what is owned when one of equal weight joins N, and as much when it leaves", () => {
    const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucket)
    for (let count = 1; count <= 12; count++) {
      const before = assign(buckets, named(count))
      const after = assign(buckets, named(count + 1))
      const moved = buckets.filter((bucket) => before.get(bucket) !== after.get(bucket))
      const share = 1 / (count + 1)
      assert.isAtMost(moved.length / bucketCount, share * (1 + bucketLoadSlackRatio) + 0.06, `N = ${count}`)
    }
  })

  // covers A23
  it("gives a member of twice the weight about twice as much", () => {
    const buckets = Array.from({ length: bucketCount }, (_, bucket) => bucket)
    const owners = assign(buckets, [
      { id: "small", weight: 1 },
      { id: "large", weight: 2 }
    ])
    assert.closeTo(groupsOf(owners, "large").length / groupsOf(owners, "small").length, 2, 0.35)
  })

  // Programs of two versions that see the same members must agree, or groups go to and fro between them during every upgrade.
  it("gives these groups to these members, today and in every version to come", () => {
    const owners = assign(groups, [
      { id: "n1", weight: 1 },
      { id: "n2", weight: 1 },
      { id: "n3", weight: 2 }
    ])
    assert.strictEqual(groups.map((group) => owners.get(group)!.slice(1)).join(""), "31313133332322311223331113313223")
    // Groups whose two best scores differ in their last bits only.
    const close = [458_400, 638_308, 694_406].map((group) => assign([group], named(2)).get(group))
    assert.deepStrictEqual(close, ["n1", "n2", "n2"])
  })

  it("names the groups of a member in ascending order, and no others", () => {
    const owners = assign(groups, named(3))
    for (const { id } of named(3)) {
      assert.deepStrictEqual(
        groupsOf(owners, id),
        groups.filter((group) => owners.get(group) === id)
      )
    }
    const unordered = new Map([2, 10, 1].map((group) => [group, "n1"]))
    assert.deepStrictEqual(groupsOf(unordered, "n1"), [1, 2, 10])
  })

  // Two ids of one hash: each group ranks both alike.
  it("lets the first name win among equal scores, until it has its load (18 of 32)", () => {
    for (const members of [
      named(1).concat({ id: "prtxbisg", weight: 1 }),
      [{ id: "prtxbisg", weight: 1 }, ...named(1)]
    ]) {
      assert.strictEqual(groupsOf(assign(groups, members), "n1").length, Math.ceil(16 * (1 + bucketLoadSlackRatio)))
    }
  })

  it("ranks by the highest hash that there is, and by the lowest, as by any other", () => {
    const ownerOf0 = (id: string) =>
      assign(
        [0],
        [
          { id: "n1", weight: 1 },
          { id, weight: 1 }
        ]
      ).get(0)
    assert.strictEqual(ownerOf0("ippyascl"), "ippyascl")
    assert.strictEqual(ownerOf0("gsqeagiu"), "n1")
  })
})
