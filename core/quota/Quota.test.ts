import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { excess } from "./Quota.ts"

const count = fc.integer({ min: 0, max: 5 })
const limit = fc.option(count)

describe("a quota", () => {
  it("is passed by nothing that is allowed, refuses what would pass it, and takes nothing away", () =>
    fc.assert(
      fc.property(
        fc.record({ fleetsMax: limit, instancesMax: limit }),
        fc.record({ fleets: count, instances: count }),
        fc.record({ fleets: fc.integer({ min: -3, max: 3 }), instances: fc.integer({ min: -3, max: 3 }) }),
        (quota, now, added) => {
          const found = excess(quota, now, added)
          const passes = (max: number | null, used: number, more: number) =>
            max !== null && more > 0 && used + more > max
          const isPassed =
            passes(quota.fleetsMax, now.fleets, added.fleets) ||
            passes(quota.instancesMax, now.instances, added.instances)
          assert.strictEqual(found !== undefined, isPassed)
          if (found !== undefined) assert.isAbove(found.used + found.requested, found.allowed)
        }
      )
    ))
})
