import { assert, describe, it } from "@effect/vitest"
import { clockDriftRatioMax, idempotencyClaimMillis, idempotencyRetentionMillis } from "../Limits.ts"
import { problem } from "./KeyRetention.ts"

describe("KeyRetention", () => {
  it("is 24 h by default, and sound", () => {
    assert.strictEqual(idempotencyRetentionMillis, 86_400_000)
    assert.isUndefined(problem(idempotencyRetentionMillis))
  })

  it("is refused when a key might expire while it is executed (ten claims)", () =>
    assert.include(problem(10 * idempotencyClaimMillis), "kept for 50000 ms"))

  it("may be as short as ten claims on a clock that runs as fast as is allowed, and no shorter", () => {
    const shortest = Math.floor((10 * idempotencyClaimMillis) / (1 - clockDriftRatioMax))
    assert.isUndefined(problem(shortest + 1))
    assert.include(problem(shortest), `kept for ${shortest} ms`)
  })
})
