import { assert, describe, it } from "@effect/vitest"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import { events } from "../event/Event.ts"
import { fleets } from "../fleet/Fleet.ts"
import { quotas } from "../quota/Quota.ts"
import { put } from "./FleetsApi.ts"
import type { FleetView } from "./Views.ts"

const database = new StillDatabase(fleets, quotas, events)
const conditions = { isNone: true, unmet: () => undefined }
const putWeb = (desired: number, paused?: boolean) => {
  const wanted = { project: "p", name: "web", desired, spec: { image: "web:1", size: "small" } } as const
  const pause = paused === undefined ? {} : { paused }
  const { body, status } = database.ask(put(database.calls, { ...wanted, ...pause }, conditions))
  const { desired: now, generation, pausedAt } = JSON.parse(body) as FleetView
  return { status, desired: now, generation, isPaused: pausedAt !== null }
}

describe("a fleet that is put", () => {
  it("is paused and resumed by who says so, and scaled by who says nothing of it", () => {
    assert.deepStrictEqual(putWeb(1), { status: 201, desired: 1, generation: 1, isPaused: false })
    assert.deepStrictEqual(putWeb(1, true), { status: 200, desired: 1, generation: 2, isPaused: true })
    assert.deepStrictEqual(putWeb(3), { status: 200, desired: 3, generation: 3, isPaused: true })
    assert.deepStrictEqual(putWeb(3), { status: 200, desired: 3, generation: 3, isPaused: true }, "nothing changes")
    assert.deepStrictEqual(putWeb(3, false), { status: 200, desired: 3, generation: 4, isPaused: false })
    assert.deepStrictEqual(putWeb(3, false), { status: 200, desired: 3, generation: 4, isPaused: false })
    const told = database.rows(events).map(({ kind }) => kind)
    assert.sameMembers(told, ["Paused", "Resumed"])
  })
})
