import { assert, describe, it } from "@effect/vitest"
import { instanceRow } from "../invariants/Story.fixture.ts"
import type { Instance } from "./Instance.ts"
import * as instanceEvents from "./instanceEvents.ts"

const move = (before: Partial<Instance>, after: Partial<Instance>) => {
  const read = instanceRow("a", before)
  const told = instanceEvents.moved(read, instanceRow("a", { ...before, ...after }))
  assert.strictEqual(instanceEvents.isTold(read, after.state!), told.length > 0)
  return told.map(({ detail, instance, kind, fleet }) => [kind, fleet, instance, detail])
}

const failure = { failures: 1, failure: "its start failed", failedAt: 1 }

describe("what is told of an instance that moves", () => {
  it("is nothing where it goes the way that was wished", () => {
    assert.deepStrictEqual(move({}, { state: "CREATING" }), [])
    assert.deepStrictEqual(move({ state: "CREATING" }, { state: "RUNNING" }), [])
    assert.deepStrictEqual(move({ state: "ERROR", reason: "Vanished", ...failure }, { state: "DELETING" }), [])
  })

  it("is why it failed, in the words that are stored", () => {
    const failed = { state: "ERROR", reason: "StartFailed", ...failure } as const
    assert.deepStrictEqual(move({ state: "CREATING" }, failed), [["StartFailed", "p/web", "a", "its start failed"]])
  })

  it("is that nothing was heard of it, and not why it failed before", () => {
    const silent = { state: "ERROR", reason: "HeartbeatStale" } as const
    const line = (detail: string) => [["HeartbeatStale", "p/web", "a", detail]]
    const unheard = "nothing was heard of it any more"
    assert.deepStrictEqual(move({ state: "RUNNING", ...failure }, silent), line(unheard))
    const placed = { state: "RUNNING", agent: "a1", agentIncarnation: 1 } as const
    assert.deepStrictEqual(move(placed, silent), line(`${unheard}; it was on agent a1`))
  })

  it("is that it runs, where it or the one before it had failed or was silent", () => {
    const runs = { state: "RUNNING" } as const
    const line = (detail: string) => [["Recovered", "p/web", "a", detail]]
    assert.deepStrictEqual(move({ state: "CREATING", ...failure }, runs), line("it runs, after 1 failure"))
    const twice = { state: "CREATING", ...failure, failures: 2 } as const
    assert.deepStrictEqual(move(twice, runs), line("it runs, after 2 failures in a row"))
    assert.deepStrictEqual(move({ state: "ERROR", reason: "HeartbeatStale" }, runs), line("it is heard again"))
  })

  it("is that it is parked, with the last of its failures", () => {
    const { detail } = instanceEvents.parked(instanceRow("a", { ...failure, failures: 8, parkedAt: 1 }))
    assert.strictEqual(detail, "not tried any more after 8 failures in a row: its start failed")
  })
})
