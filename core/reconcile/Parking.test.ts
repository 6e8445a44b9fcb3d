import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Fleet from "../fleet/Fleet.ts"
import type { Instance } from "../instance/Instance.ts"
import * as InstancePlan from "../instance/InstancePlan.ts"
import { instanceRow } from "../invariants/Story.fixture.ts"
import { causeCharsMax, stableMillis } from "../Limits.ts"
import type { Observation } from "../ports/Provider.ts"
import * as Parking from "./Parking.ts"

const policies = fc.record({ failuresMax: fc.integer({ min: 1, max: 20 }), restartMillisMax: fc.nat(60_000) })
const failings: fc.Arbitrary<Parking.Failing> = fc
  .option(fc.integer({ min: 1, max: 30 }), { nil: null })
  .map((failures) =>
    failures === null ? Parking.unfailed : { ...Parking.unfailed, failures, failure: "why", failedAt: 5 }
  )

describe("work that fails", () => {
  it("is parked at the failure that is one too many, and not before; what passes is never counted", () =>
    fc.assert(
      fc.property(policies, fc.array(fc.boolean(), { maxLength: 40 }), (policy, isOwn) => {
        let row = Parking.unfailed
        for (const own of isOwn) {
          const cause = own ? "no such field" : undefined
          const fate = Parking.fateOf(row, { retryMillis: 5, cause }, policy)
          assert.strictEqual(fate.failures ?? 0, (row.failures ?? 0) + (own ? 1 : 0))
          assert.strictEqual(fate._tag, own && fate.failures! >= policy.failuresMax ? "Park" : "Retry")
          if (fate._tag === "Park") return
          row = { ...row, failures: fate.failures, failure: fate.failure }
        }
      })
    ))

  it("waits longer with each failure, at first not at all, and never longer than the longest pause", () =>
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 60 }), (policy, failures) => {
        const [now, next] = [Parking.restartMillis(failures, policy), Parking.restartMillis(failures + 1, policy)]
        assert.isAtMost(now, next)
        assert.isAtMost(next, policy.restartMillisMax)
        assert.strictEqual(Parking.restartMillis(1, policy), 0)
        assert.strictEqual(Parking.restartMillis(null, policy), 0)
      })
    ))

  it("is no longer parked once its end was asked for, also by a program that leaves parkedAt where it is", () => {
    const isParked = (parkedAt: number | null, deletionRequestedAt: number | null) =>
      Parking.isParked(instanceRow("a", { state: "ERROR", updatedAt: 6, parkedAt, deletionRequestedAt }))
    assert.deepStrictEqual([isParked(null, null), isParked(5, null)], [false, true])
    assert.deepStrictEqual([isParked(5, 6), isParked(7, 6)], [false, true])
    assert.isTrue(Fleet.isParked({ parkedAt: 7, updatedAt: 6 }))
    assert.isFalse(Fleet.isParked({ parkedAt: 5, updatedAt: 6 }))
    const leaving = instanceRow("a", { state: "DELETING", parkedAt: 5, deletionRequestedAt: 6 })
    assert.deepStrictEqual(InstancePlan.next(leaving, InstancePlan.nothingSeen, 9), { _tag: "Stop" })
  })

  it("is no longer parked once a program that knows of no parking has started it again: it is kept running, and parked again when it fails", () => {
    const restarted = { parkedAt: 5, failures: 8, failure: "why", failedAt: 4, updatedAt: 6 }
    const nextOf = (row: Instance, observation: Observation, nowMicros = 9) =>
      InstancePlan.next(row, { observation, isStopAsked: true }, nowMicros)
    const creating = instanceRow("a", { state: "CREATING", ...restarted })
    assert.deepStrictEqual(nextOf(creating, "Running"), { _tag: "Move", to: "RUNNING", reason: null })
    const running = instanceRow("a", { state: "RUNNING", ...restarted })
    assert.deepStrictEqual(nextOf(running, "Running"), { _tag: "Settle" })
    assert.deepStrictEqual(nextOf(running, "Running", 6 + stableMillis * 1_000), { _tag: "Forget" })
    assert.deepStrictEqual(nextOf(running, "Failed"), { _tag: "Move", to: "ERROR", reason: "Vanished" })
    const failed = instanceRow("a", { ...restarted, state: "ERROR", reason: "Vanished", failures: 9, parkedAt: 5 })
    assert.deepStrictEqual(nextOf(failed, "Absent"), { _tag: "Settle" })
    // Parked by a defect in looking at it, and then given up for its silence: it stays so.
    const panicking = instanceRow("a", { ...restarted, state: "RUNNING", parkedAt: 6 })
    assert.deepStrictEqual(nextOf(panicking, "Failed"), { _tag: "Settle" })
  })

  it("says why in one line that fits", () => {
    assert.strictEqual(Parking.causeOf("TypeError: no\n  such field "), "TypeError: no such field")
    assert.lengthOf(Parking.causeOf("x".repeat(9_999)), causeCharsMax)
  })

  // covers A14
  it("is not started again before its pause is over, nor at all once it has failed too often: it is parked when nothing of it is left", () =>
    fc.assert(
      fc.property(failings, policies, fc.nat(200_000_000), fc.boolean(), (failing, policy, nowMicros, isStandalone) => {
        const row = instanceRow("a", {
          state: "ERROR",
          reason: "StartFailed",
          ...(isStandalone ? { fleet: null, ordinal: null } : {}),
          ...failing
        })
        const gone = { observation: "Absent", isStopAsked: true } as const
        const step = InstancePlan.next(row, gone, nowMicros, policy)
        if (Parking.isExhausted(row, policy)) assert.deepStrictEqual(step, { _tag: "Park" })
        else if (!isStandalone) assert.deepStrictEqual(step, { _tag: "Settle" })
        else if (step._tag === "Later") assert.isAbove(step.atMicros, nowMicros)
        else {
          assert.deepStrictEqual(step, { _tag: "Move", to: "CREATING", reason: null })
          assert.isAtMost(Parking.restartAtMicros(row, policy), nowMicros)
        }
      })
    ))

  it("is left alone once it is parked, whatever is seen of it, until its end is asked for", () =>
    fc.assert(
      fc.property(
        fc.constantFrom("PENDING", "CREATING", "RUNNING", "ERROR", "DELETING"),
        fc.constantFrom("Absent", "Starting", "Running", "Stopping", "Failed", undefined),
        fc.boolean(),
        (state, observation, isStopAsked) => {
          const seen = { observation, isStopAsked }
          const parked = { ...Parking.unfailed, failures: 8, failure: "why", failedAt: 1, parkedAt: 2 }
          const row = instanceRow("a", {
            state,
            reason: state === "ERROR" ? "StartFailed" : null,
            deletionRequestedAt: state === "DELETING" ? 1 : null,
            updatedAt: 1,
            ...parked
          })
          assert.deepStrictEqual(InstancePlan.next(row, seen, 9), { _tag: "Settle" })
          const asked = { ...row, deletionRequestedAt: 3, ...Parking.unfailed }
          assert.notStrictEqual(InstancePlan.next(asked, seen, 9)._tag, "Settle")
        }
      )
    ))

  it("has succeeded when it has run for ten minutes: what failed before is forgotten, and the next failure is the first", () => {
    const row = instanceRow("a", { state: "RUNNING", failures: 5, failure: "why", failedAt: 1, updatedAt: 0 })
    const seen = { observation: "Running", isStopAsked: false } as const
    const [young, old] = [stableMillis * 1_000 - 1, stableMillis * 1_000]
    assert.deepStrictEqual(InstancePlan.next(row, seen, young), { _tag: "Settle" })
    assert.deepStrictEqual(InstancePlan.next(row, seen, old), { _tag: "Forget" })
    assert.strictEqual(InstancePlan.failuresWith(row, young), 6)
    assert.strictEqual(InstancePlan.failuresWith(row, old), 1)
  })
})
