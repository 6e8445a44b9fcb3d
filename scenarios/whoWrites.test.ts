import { assert, describe, it } from "@effect/vitest"
import type { RowChange } from "../core/facts/Envelope.ts"
import { wrong } from "./whoWrites.fixture.ts"

describe("a column", () => {
  // covers A16
  it("that another writes is found: counters by a shard, a state by the API, what is desired by the scaler", () => {
    const change = (table: string, column: string): RowChange => ({
      table,
      key: "k",
      before: { [column]: 1 },
      after: { [column]: 2 }
    })
    assert.deepStrictEqual(wrong("fleet/scale", [change("fleet_statuses", "running"), change("fleets", "desired")]), [
      "fleet_statuses.running by fleet/scale",
      "fleets.desired by fleet/scale"
    ])
    assert.deepStrictEqual(wrong("instances/create", [change("instances", "state")]), [
      "instances.state by instances/create"
    ])
    assert.deepStrictEqual(wrong("instance/move/RUNNING", [change("instances", "state")]), [])
    assert.deepStrictEqual(wrong("lease/renew", [change("unheard", "of")]), ["unheard.of by lease/renew"])
  })
})
