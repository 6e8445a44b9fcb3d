import { assert, describe, it } from "@effect/vitest"
import { fleets } from "../fleet/Fleet.ts"
import { type Instance, instances } from "../instance/Instance.ts"
import { parkedUntouched } from "./parkedUntouched.ts"
import { change, commit, fleetRow, instanceRow, told, type Line } from "./Story.fixture.ts"

const failed = { failures: 3, failure: "its start failed", failedAt: 1 }
const error = instanceRow("a", { state: "ERROR", reason: "StartFailed", revision: 7, ...failed })
const parked = { ...error, revision: 8, parkedAt: 2, dueAt: null }
const parks: Line = [1, "n1", commit("instance/park", [change(instances, "a", error, parked)])]
const effect = (seconds: number): Line => [
  seconds,
  "n1",
  { _tag: "EffectStarted", effect: "stop", uid: "a", lease: "buckets/1", epoch: 1 } as never
]
const becomes = (after: Instance): Line => [2, "n1", commit("instance/move", [change(instances, "a", parked, after)])]

describe("parked-untouched", () => {
  const rule = parkedUntouched(3)

  it("holds while what is parked is left alone, given up for its silence, or asked for again and then worked on", () => {
    const silent = { ...parked, revision: 9, reason: "HeartbeatStale" as const }
    const redriven = { ...parked, revision: 9, failures: null, failure: null, failedAt: null, parkedAt: null }
    assert.strictEqual(told(rule, parks, becomes(silent)), "holds")
    assert.strictEqual(told(rule, parks, becomes(redriven), effect(3)), "holds")
  })

  it("is broken by an effect on what is parked, and by a move of it", () => {
    assert.strictEqual(told(rule, parks, effect(2)), "instance a: it is parked, and its stop was asked for")
    const moved = told(rule, parks, becomes({ ...parked, revision: 9, state: "CREATING", reason: null }))
    assert.strictEqual(moved, "instance a: it was parked, and became CREATING")
  })

  it("is broken by what is parked too soon, or not when it should be", () => {
    const once = { ...parked, failures: 1 }
    assert.strictEqual(told(rule, becomes(once)), "instance a: it was parked after 1 failures")
    const often = { ...parked, failures: 4, parkedAt: null }
    assert.strictEqual(told(rule, becomes(often)), "instance a: it failed 4 times, and was not parked")
  })

  it("is broken by a fleet that is parked and scaled", () => {
    const fleet = fleetRow({ ...failed, parkedAt: 2 })
    const scaled: Line = [
      3,
      "n1",
      commit("fleet/scale", [change(fleets, "p/web", fleet, { ...fleet, scaledGeneration: 1 })])
    ]
    assert.strictEqual(told(rule, scaled), "fleet p/web: it was parked, and scaled")
  })
})
