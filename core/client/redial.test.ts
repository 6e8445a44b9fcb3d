/** When who lost a session, or was refused one, dials again. */
import { assert, describe, it } from "@effect/vitest"
import * as Socket from "effect/socket/Socket"
import * as fc from "fast-check"
import { redialMillisMax, redialMillisMin } from "../Limits.ts"
import { DialError, refusalOf } from "../ports/Dial.ts"
import { cannotUpgrade, pauseMillis, retryAfterSecondsOf } from "./redial.ts"

const refusedWith = (status: number, retryAfter?: string) =>
  new Socket.SocketError({
    reason: new Socket.SocketOpenError({
      kind: "Unknown",
      cause: new DialError({ address: "ws://n1:8081/", reason: refusalOf(status, retryAfter) })
    })
  })

describe("a client that dials again", () => {
  it("waits anywhere up to a time that doubles with each failure, up to the longest", () => {
    const longest = (failures: number) => pauseMillis({ failures, retryAfterSeconds: 0, fraction: 1 })
    assert.deepStrictEqual([1, 2, 3].map(longest), [redialMillisMin, 2 * redialMillisMin, 4 * redialMillisMin])
    assert.strictEqual(longest(1_000), redialMillisMax)
    assert.strictEqual(pauseMillis({ failures: 9, retryAfterSeconds: 0, fraction: 0 }), 0)
  })

  it("never comes before it was asked to", () =>
    fc.assert(
      fc.property(
        fc.record({
          failures: fc.integer({ min: 1, max: 100 }),
          retryAfterSeconds: fc.integer({ min: 0, max: 60 }),
          fraction: fc.double({ min: 0, max: 1, noNaN: true })
        }),
        (asked) => {
          const pause = pauseMillis(asked)
          assert.isAtLeast(pause, asked.retryAfterSeconds * 1_000)
          assert.isAtMost(pause, asked.retryAfterSeconds * 1_000 + redialMillisMax)
        }
      )
    ))

  it("takes Retry-After in seconds, and nothing else for one", () => {
    assert.strictEqual(retryAfterSecondsOf(refusedWith(503, "7")), 7)
    for (const other of [undefined, "", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "9".repeat(30)]) {
      assert.strictEqual(retryAfterSecondsOf(refusedWith(503, other)), 0)
    }
  })

  it("knows who will never upgrade from who cannot now", () => {
    assert.isTrue([404, 405, 426].every((status) => cannotUpgrade(refusedWith(status))))
    assert.isFalse([401, 403, 429, 500, 503].some((status) => cannotUpgrade(refusedWith(status))))
  })
})
