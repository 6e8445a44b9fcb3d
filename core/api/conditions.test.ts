import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { FleetStatus } from "../fleet/Fleet.ts"
import { states } from "../instance/Instance.ts"
import { fleetRow, instanceRow } from "../invariants/Story.fixture.ts"
import { fleetView, instanceView } from "./Views.ts"

const counted = (changes: Partial<FleetStatus> = {}): FleetStatus => ({
  id: "p/web",
  observedGeneration: 1,
  live: 1,
  running: 1,
  error: 0,
  deleting: 0,
  parked: 0,
  ready: "True",
  readyChangedAt: 7,
  updatedAt: 9,
  ...changes
})
const ofFleet = (...args: Parameters<typeof fleetView>) => fleetView(...args).conditions!
const ofInstance = (...args: Parameters<typeof instanceRow>) => instanceView(instanceRow(...args)).conditions!

describe("the conditions of an instance", () => {
  it("say Ready exactly while it runs, each kind once, and since a moment that is stored", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(...states),
        fc.option(fc.integer({ min: 5, max: 9 }), { nil: null }),
        fc.option(fc.constant(11), { nil: null }),
        (state, readyChangedAt, parkedAt) => {
          const conditions = ofInstance("a", { state, readyChangedAt, parkedAt, createdAt: 1, updatedAt: 3 })
          const ready = conditions.filter(({ type }) => type === "Ready")
          assert.lengthOf(ready, 1)
          assert.strictEqual(ready[0]!.status, state === "RUNNING" ? "True" : "False")
          assert.strictEqual(ready[0]!.lastTransitionAt, readyChangedAt ?? (state === "RUNNING" ? 3 : 1))
          assert.strictEqual(new Set(conditions.map(({ type }) => type)).size, conditions.length)
          assert.strictEqual(
            conditions.some(({ type }) => type === "Stalled"),
            parkedAt !== null
          )
        }
      )
    ))

  it("tell why it failed and that nobody tries it any more", () => {
    const failed = { failures: 8, failure: "its start failed", failedAt: 4, parkedAt: 5 }
    assert.deepStrictEqual(ofInstance("a", { state: "ERROR", reason: "StartFailed", ...failed }), [
      { type: "Ready", status: "False", reason: "StartFailed", message: "its start failed", lastTransitionAt: 0 },
      {
        type: "Stalled",
        status: "True",
        reason: "FailedTooOften",
        message: "its start failed; 8 failures in a row, not tried any more",
        lastTransitionAt: 5
      }
    ])
  })
})

describe("the conditions of a fleet", () => {
  it("are unknown until it was counted, also when an earlier one of its name was", () => {
    const unknown = {
      type: "Ready",
      status: "Unknown",
      reason: "NotCounted",
      message: "",
      lastTransitionAt: 10
    } as const
    assert.deepStrictEqual(ofFleet(fleetRow({ createdAt: 10 }), undefined), [unknown])
    assert.deepStrictEqual(ofFleet(fleetRow({ createdAt: 10 }), counted({ updatedAt: 9 })), [unknown])
  })

  it("are unknown until its last wish was counted, unless it is paused, which nobody works on", () => {
    const ready = (changes: Parameters<typeof fleetRow>[0]) => ofFleet(fleetRow(changes), counted())[0]!
    assert.deepInclude(ready({ generation: 2, updatedAt: 12 }), {
      status: "Unknown",
      reason: "NotCounted",
      message: "not counted since its last change",
      lastTransitionAt: 12
    })
    assert.deepInclude(ready({ generation: 2, pausedAt: 12, updatedAt: 12 }), { status: "True", lastTransitionAt: 7 })
  })

  it("say since when as many run as are desired, or do not, and what stands in the way", () => {
    const message = "1 parked after they failed too often"
    const short = counted({ running: 0, error: 1, parked: 1, ready: "False" })
    assert.deepStrictEqual(
      [counted(), short, counted({ ready: "False", running: 0 })].map((status) => {
        const [{ lastTransitionAt, message: said, reason }] = ofFleet(fleetRow(), status) as [never]
        return [reason, said, lastTransitionAt]
      }),
      [
        ["AsManyAsDesired", "", 7],
        ["InstancesStalled", message, 7],
        ["TooFewRun", "1 to start", 7]
      ]
    )
  })

  it("are there while they hold: that it is paused, and then that it leaves", () => {
    const types = (changes: Parameters<typeof fleetRow>[0]) =>
      ofFleet(fleetRow(changes), counted()).map(({ type }) => type)
    assert.deepStrictEqual(types({}), ["Ready"])
    assert.deepStrictEqual(types({ pausedAt: 3 }), ["Ready", "Paused"])
    assert.deepStrictEqual(types({ pausedAt: 3, deletionRequestedAt: 4 }), ["Ready", "Terminating"])
  })
})
