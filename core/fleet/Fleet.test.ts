import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fleetRow } from "../invariants/Story.fixture.ts"
import { placementOf } from "../bucket/Bucket.ts"
import { fleetDesiredMax } from "../Limits.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import * as Fleet from "./Fleet.ts"

const { fleets } = Fleet
const spec = { image: "web:1", size: "small" } as const
const named = (name: string, changes: Partial<Fleet.Fleet> = {}) =>
  fleetRow({ id: `p/${name}`, name, ...placementOf(`p/${name}`), ...changes })
const [web, db] = [named("web", { generation: 3, dueAt: null }), named("db", { generation: 3, dueAt: null })]
const given = () => new StillDatabase(fleets).given(fleets, [db, web])

describe("the rows of fleets", () => {
  it("a fleet is created in its first generation, not yet scaled, and due at once", () => {
    const database = new StillDatabase(fleets)
    const { nowMicros } = database
    const created = database.ask(Fleet.create(database.calls, { project: "p", name: "web", desired: 3, spec }))
    const at = { createdAt: nowMicros, updatedAt: nowMicros, dueAt: nowMicros }
    const row = named("web", { desired: 3, generation: 1, scaledGeneration: 0, ...at })
    assert.deepStrictEqual(created, row)
    assert.deepStrictEqual(database.rows(fleets), [row])
  })

  it("a second fleet of that name is not created, and the first stays as it is", () => {
    const database = given()
    assert.isUndefined(database.ask(Fleet.create(database.calls, { project: "p", name: "web", desired: 9, spec })))
    assert.deepStrictEqual(database.rows(fleets), [db, web])
  })

  // covers A8
  it("another desired count is the next generation of that fleet alone, and due", () => {
    const database = given()
    const { nowMicros } = database
    const after = { ...web, desired: 5, generation: 4, updatedAt: nowMicros, dueAt: nowMicros }
    assert.deepStrictEqual(database.ask(Fleet.setDesired(database.calls, web, { desired: 5, isPaused: false })), [
      after
    ])
    assert.deepStrictEqual(database.rows(fleets), [db, after])
  })

  it("a pause is the next generation, from now; one that goes on has its beginning; its end leaves none", () => {
    const database = given()
    const { nowMicros } = database
    const put = (read: typeof web, isPaused: boolean) =>
      database.ask(Fleet.setDesired(database.calls, read, { desired: web.desired, isPaused }))[0]
    assert.deepInclude(put(web, true), { generation: 4, pausedAt: nowMicros, dueAt: nowMicros })
    assert.deepInclude(put({ ...web, pausedAt: 7 }, true), { generation: 5, pausedAt: 7 })
    assert.deepInclude(put({ ...web, pausedAt: 7 }, false), { generation: 6, pausedAt: null })
  })

  it("what was scaled is the generation that was read, and no longer due", () => {
    const database = new StillDatabase(fleets).given(fleets, [db, { ...web, generation: 4, dueAt: 7 }])
    const after = { ...web, generation: 4, scaledGeneration: 3, updatedAt: database.nowMicros, dueAt: null }
    assert.deepStrictEqual(database.ask(Fleet.setScaled(database.calls, web)), [after])
    assert.deepStrictEqual(database.rows(fleets), [db, after])
  })

  it("those that are marked are due after so many milliseconds, and nothing else of them changes", () => {
    const other = named("other")
    const database = given().given(fleets, [other])
    const dueAt = database.nowMicros + 250_000
    database.ask(Fleet.markDue(database.calls, ["p/web", "p/db"], 250))
    assert.deepStrictEqual(database.rows(fleets), [{ ...db, dueAt }, other, { ...web, dueAt }])
  })

  it("may be wished for from nothing up to the limit, and is never scaled for a generation that nobody asked for", () =>
    fc.assert(
      fc.property(
        fc.constantFrom(-1, 0, 1, fleetDesiredMax, fleetDesiredMax + 1),
        fc.constantFrom(2, 3, 4),
        (desired, scaledGeneration) => {
          const refusal = new StillDatabase(fleets).refusal(fleets, [{ ...web, desired, scaledGeneration }])
          const isBounded = desired >= 0 && desired <= fleetDesiredMax
          assert.strictEqual(
            refusal,
            isBounded ? (scaledGeneration <= 3 ? undefined : "fleets_scaledIsPast") : "fleets_desiredIsBounded"
          )
        }
      )
    ))

  it("lies in the bucket group that its bucket belongs to", () => {
    const refused = { ...web, bucketGroup: web.bucketGroup + 1 }
    assert.strictEqual(new StillDatabase(fleets).refusal(fleets, [refused]), "fleets_isPlaced")
  })
})
