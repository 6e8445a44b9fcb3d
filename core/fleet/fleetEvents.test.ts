import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fleetRow, instanceRow } from "../invariants/Story.fixture.ts"
import * as fleetEvents from "./fleetEvents.ts"
import * as FleetPlan from "./FleetPlan.ts"

const failed = (uid: string, ordinal: number) => instanceRow(uid, { ordinal, state: "ERROR", reason: "Vanished" })
const runs = (uid: string, ordinal: number) => instanceRow(uid, { ordinal, state: "RUNNING", lastHeartbeatAt: 1 })

const lines = (told: ReturnType<typeof fleetEvents.scaled>) =>
  told.map(({ detail, fleet, instance, kind }) => `${kind} ${instance ?? fleet}: ${detail}`)

describe("what is told of a fleet that is scaled", () => {
  it("is from how many to how many", () => {
    const created = [instanceRow("a"), instanceRow("b", { ordinal: 1 })]
    const told = fleetEvents.scaled(fleetRow({ desired: 2 }), { live: [], gone: [], created })
    assert.deepStrictEqual(lines(told), ["Scaled p/web: from 0 to 2"])
    assert.deepStrictEqual(fleetEvents.scaled(fleetRow(), { live: created, gone: [], created: [] }), [])
  })

  it("is who takes the place of one that failed, by its ordinal where that is taken again", () => {
    const live = [failed("a", 0), runs("b", 1), failed("c", 2)]
    const created = [instanceRow("e", { ordinal: 2 }), instanceRow("d", { ordinal: 0 })]
    const told = fleetEvents.scaled(fleetRow({ desired: 3 }), { live, gone: [live[0]!, live[2]!], created })
    assert.deepStrictEqual(lines(told), ["Replaced a: by d", "Replaced c: by e"])
    const elsewhere = { live: [failed("a", 5)], gone: [failed("a", 5)], created: [instanceRow("d")] }
    assert.deepStrictEqual(lines(fleetEvents.scaled(fleetRow(), elsewhere)), ["Replaced a: by d"])
  })

  it("is who is one too many, or goes with its fleet", () => {
    const [a, b] = [runs("a", 0), runs("b", 1)]
    const smaller = fleetEvents.scaled(fleetRow({ desired: 1 }), { live: [a, b], gone: [b], created: [] })
    assert.deepStrictEqual(lines(smaller), [
      "Scaled p/web: from 2 to 1",
      "DeletionRequested b: one too many: 1 are wanted"
    ])
    const ending = fleetRow({ desired: 0, deletionRequestedAt: 1 })
    assert.deepStrictEqual(lines(fleetEvents.scaled(ending, { live: [a], gone: [a], created: [] })), [
      "Scaled p/web: from 1 to 0",
      "DeletionRequested a: its fleet is deleted"
    ])
  })

  it("has one event for each that goes, and replaces as many of those that failed as were made", () => {
    const members = fc
      .uniqueArray(fc.record({ ordinal: fc.nat(9), isFailed: fc.boolean() }), { selector: ({ ordinal }) => ordinal })
      .map((all) => all.map(({ isFailed, ordinal }) => (isFailed ? failed : runs)(`i${ordinal}`, ordinal)))
    fc.assert(
      fc.property(members, fc.nat(9), (live, desired) => {
        const plan = FleetPlan.plan(desired, live)
        const gone = live.filter(({ uid }) => plan.remove.includes(uid))
        const created = plan.create.map((ordinal) => instanceRow(`n${ordinal}`, { ordinal }))
        const told = fleetEvents.scaled(fleetRow({ desired }), { live, gone, created })
        const others = told.filter(({ instance }) => instance !== null)
        const scaled = told.filter(({ kind }) => kind === "Scaled").map(({ detail }) => detail)
        assert.deepStrictEqual(scaled, live.length === desired ? [] : [`from ${live.length} to ${desired}`])
        assert.lengthOf(told, scaled.length + others.length)
        assert.deepStrictEqual(
          others.map(({ instance }) => instance),
          gone.map(({ uid }) => uid)
        )
        const replaced = others.filter(({ kind }) => kind === "Replaced")
        assert.strictEqual(replaced.length, created.length === 0 ? 0 : Math.min(created.length, gone.length))
        assert.strictEqual(new Set(replaced.map(({ detail }) => detail)).size, replaced.length)
      })
    )
  })
})

describe("what is told of another wish", () => {
  it("is a pause and its end, and no other count", () => {
    const kinds = (from: number | null, to: number | null) =>
      fleetEvents.wished({ pausedAt: from }, fleetRow({ pausedAt: to })).map(({ kind }) => kind)
    assert.deepStrictEqual(
      [kinds(null, 1), kinds(1, null), kinds(1, 1), kinds(null, null)],
      [["Paused"], ["Resumed"], [], []]
    )
  })
})
