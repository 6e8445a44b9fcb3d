import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { brakeCountMin, brakeRatio } from "../Limits.ts"
import { isBraked } from "./Heartbeat.ts"

describe("Heartbeat", () => {
  it("brakes when everybody falls silent (40 of 40), not when one does (1 of 40)", () => {
    assert.isTrue(isBraked({ late: 40, running: 40 }))
    assert.isFalse(isBraked({ late: 1, running: 40 }))
  })

  it("replaces what fails in a small fleet (2 of 2), where a share means nothing", () =>
    assert.isFalse(isBraked({ late: 2, running: 2 })))

  it("never lets more go at once than the share or the least number", () =>
    fc.assert(
      fc.property(fc.nat(1_000), fc.nat(1_000), (late, others) => {
        const running = late + others
        assert.isTrue(isBraked({ late, running }) || late <= Math.max(brakeCountMin - 1, brakeRatio * running))
      })
    ))
})
