import { assert, describe, it } from "@effect/vitest"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import { causeCharsMax, eventInsertMax, eventPurgeBatchMax, eventRetentionMillis } from "../Limits.ts"
import * as Event from "./Event.ts"

const of = (detail: string): Event.Told => ({ project: "p", fleet: "p/web", instance: null, kind: "Scaled", detail })

describe("events", () => {
  it("are written at once, however many, in one line each that is no longer than is stored of it", () => {
    const database = new StillDatabase(Event.events)
    const told = Array.from({ length: eventInsertMax + 1 }, (_, nth) => of(`${nth}\n${"x".repeat(causeCharsMax)}`))
    database.ask(Event.record(database.calls, told))
    const rows = database.rows(Event.events)
    assert.strictEqual(new Set(rows.map(({ id }) => id)).size, told.length)
    for (const { at, detail } of rows) {
      assert.strictEqual(at, database.nowMicros)
      assert.match(detail, /^\d+ x+$/)
      assert.lengthOf(detail, causeCharsMax)
    }
  })

  it("are forgotten when they were kept for as long as is promised, in as many batches as it takes", () => {
    const database = new StillDatabase(Event.events)
    const old = { ...of("old"), id: "old", at: 1 }
    const rows = Array.from({ length: eventPurgeBatchMax + 5 }, (_, nth) => ({ ...old, id: `old-${nth}`, at: nth }))
    const kept = { ...old, id: "kept", at: rows.at(-1)!.at + 1 }
    database.nowMicros = rows.at(-1)!.at + eventRetentionMillis * 1_000
    database.given(Event.events, rows.slice(0, 500)).given(Event.events, [...rows.slice(500), kept])
    assert.strictEqual(database.ask(Event.purge(database.once, [])), rows.length)
    assert.deepStrictEqual(database.rows(Event.events), [kept])
    assert.strictEqual(database.ask(Event.purge(database.once, [])), 0)
  })

  it("are of a fleet or of an instance", () => {
    const row = { ...of(""), id: "a", at: 1, fleet: null }
    assert.strictEqual(new StillDatabase(Event.events).refusal(Event.events, [row]), "events_isOfSomething")
    assert.isUndefined(new StillDatabase(Event.events).refusal(Event.events, [{ ...row, instance: "i" }]))
  })
})
