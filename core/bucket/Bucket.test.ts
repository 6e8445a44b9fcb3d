import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { bucketCount, bucketGroupCount, bucketsPerGroup } from "../Limits.ts"
import { integer, make } from "../ports/Table.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import { groupOf, groups, isPlaced, leaseOf, placementOf } from "./Bucket.ts"

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

  // covers A26
  it("finds the group of its lease again, and none for other leases", () => {
    for (const group of groups) assert.strictEqual(groupOf(leaseOf(group)), group)
    assert.isUndefined(groupOf("leader"))
  })

  it("lets a row lie only in the group that its bucket belongs to", () => {
    const placed = make("placed", {
      columns: { id: integer, bucket: integer, bucketGroup: integer },
      primaryKey: ["id"],
      checks: { isPlaced }
    })
    for (const bucket of [0, 1, 31, 32, 33, 63, 64, bucketCount - 1]) {
      for (const bucketGroup of [0, 1, 2, bucketGroupCount - 1]) {
        const refusal = new StillDatabase(placed).refusal(placed, [{ id: 1, bucket, bucketGroup }])
        const isRight = Math.floor(bucket / bucketsPerGroup) === bucketGroup
        assert.strictEqual(refusal, isRight ? undefined : "placed_isPlaced", `${bucket} in ${bucketGroup}`)
      }
    }
  })
})
