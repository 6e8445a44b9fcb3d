import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { idempotencyKeyCharsMax } from "../Limits.ts"
import { type IdempotencyKey, fingerprintOf, judge, problem } from "./IdempotencyKey.ts"

const row: IdempotencyKey = {
  scope: "p/alice/putFleet",
  key: "k1",
  fingerprint: "f1",
  state: "executing",
  holder: "n1/1",
  epoch: 1,
  claimedAt: 0,
  claimExpiresAt: 5_000_000,
  status: null,
  body: null,
  createdAt: 0,
  expiresAt: 86_400_000_000
}

describe("IdempotencyKey", () => {
  it("refuses a key that is missing, empty, too long or not printable, and says why", () => {
    assert.include(problem(undefined), "required")
    assert.include(problem(""), "empty")
    assert.include(problem("k".repeat(idempotencyKeyCharsMax + 1)), "256 characters")
    assert.include(problem("a b"), "printable")
    assert.include(problem("ключ"), "printable")
    assert.isUndefined(problem("k".repeat(idempotencyKeyCharsMax)))
  })

  it("judges the payload before the progress: another request with the key is a mismatch, finished or not", () => {
    const finished: IdempotencyKey = { ...row, state: "finished", status: 200, body: "{}" }
    assert.deepStrictEqual(judge(row, "f2"), { _tag: "Mismatch" })
    assert.deepStrictEqual(judge(finished, "f2"), { _tag: "Mismatch" })
    assert.deepStrictEqual(judge(row, "f1"), { _tag: "InProgress" })
  })

  it("replays what was stored, errors included, byte for byte", () =>
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 599 }), fc.string(), (status, body) =>
        assert.deepStrictEqual(judge({ ...row, state: "finished", status, body }, "f1"), {
          _tag: "Replay",
          answer: { status, body }
        })
      )
    ))

  it("gives a retry the fingerprint of its first request, in whatever order its members are", () => {
    const request = { method: "PUT", path: "/v1/projects/p/fleets/web", scope: "p/alice/putFleet" }
    const first = fingerprintOf({ ...request, body: { desired: 3, spec: { image: "a" } } })
    assert.strictEqual(fingerprintOf({ ...request, body: { spec: { image: "a" }, desired: 3 } }), first)
    assert.notStrictEqual(fingerprintOf({ ...request, body: { desired: 4, spec: { image: "a" } } }), first)
    assert.notStrictEqual(
      fingerprintOf({ ...request, path: "/v1/projects/p/fleets/db", body: { desired: 3, spec: { image: "a" } } }),
      first
    )
    assert.notStrictEqual(
      fingerprintOf({ ...request, method: "POST", body: { desired: 3, spec: { image: "a" } } }),
      first
    )
    assert.notStrictEqual(
      fingerprintOf({ ...request, scope: "q/alice/putFleet", body: { desired: 3, spec: { image: "a" } } }),
      first
    )
  })
})
