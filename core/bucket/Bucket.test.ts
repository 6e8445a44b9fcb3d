import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bucketCount, bucketGroupCount, bucketsPerGroup } from "../Limits.ts"
import { groupOf, groups, leaseOf, placementOf } from "./Bucket.ts"

describe("Bucket", () => {
  it("puts every key into one bucket, and the bucket into the group around it", () =>
    fc.assert(
      fc.property(fc.string(), (key) => {
        const { bucket, bucketGroup } = placementOf(key)
        assert.isTrue(Number.isInteger(bucket) && bucket >= 0 && bucket < bucketCount)
        assert.isAtLeast(bucket, bucketGroup * bucketsPerGroup)
        assert.isBelow(bucket, (bucketGroup + 1) * bucketsPerGroup)
        assert.isBelow(bucketGroup, bucketGroupCount)
        assert.deepStrictEqual(placementOf(key), { bucket, bucketGroup })
      })
    ))

  it("spreads similar keys (10,000 uids) over all groups within a third of the mean", () => {
    const counts = new Map<number, number>()
    for (let index = 0; index < 10_000; index++) {
      const { bucketGroup } = placementOf(`web-${index}`)
      counts.set(bucketGroup, (counts.get(bucketGroup) ?? 0) + 1)
    }
    const mean = 10_000 / bucketGroupCount
    assert.strictEqual(counts.size, bucketGroupCount)
    for (const count of counts.values()) assert.closeTo(count, mean, mean / 3)
  })

  it("finds the group of its lease again, and none for other leases", () => {
    for (const group of groups) assert.strictEqual(groupOf(leaseOf(group)), group)
    assert.isUndefined(groupOf("leader"))
  })
})
