import { assert, describe, it } from "@effect/vitest"
import { type Event, events } from "../event/Event.ts"
import { fleets } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import { eventsTold } from "./eventsTold.ts"
import { change, commit, fleetRow, instanceRow, told, type Line } from "./Story.fixture.ts"

const fences = [{ lease: "buckets/1", epoch: 1 }]
const leads = [{ lease: "leader", epoch: 1 }]

const row = (kind: Event["kind"], instance: string | null, detail = ""): Event => ({
  id: `event-${kind}-${instance}`,
  project: "p",
  fleet: "p/web",
  instance,
  kind,
  detail,
  at: 1
})
const tells = (...rows: Parameters<typeof row>) => change(events, rows.join(), null, row(...rows))

const runs = instanceRow("a", { state: "RUNNING", lastHeartbeatAt: 1 })
const fails = { ...runs, state: "ERROR", reason: "Vanished", failures: 1, failure: "gone", failedAt: 1 } as const
const leaves = { ...fails, liveName: null, deletionRequestedAt: 1 }
const vanishes = change(instances, "a", runs, fails)
const toldToGo = change(instances, "a", fails, leaves)
const comes = change(instances, "b", null, instanceRow("b", { failures: 1, failure: "gone", failedAt: 1 }))
const line = (...changes: Parameters<typeof commit>[1]): Line => [1, "n1", commit("x", changes, fences)]

describe("events-told", () => {
  it("holds of one that fails, is replaced, and of its successor that runs, each told in its own commit", () => {
    const successor = instanceRow("b", { failures: 1, failure: "gone", failedAt: 1, state: "CREATING" })
    const recovers = change(instances, "b", successor, { ...successor, state: "RUNNING", lastHeartbeatAt: 1 })
    assert.strictEqual(
      told(
        eventsTold,
        line(vanishes, tells("Vanished", "a")),
        line(toldToGo, comes, tells("Replaced", "a", "by b")),
        line(recovers, tells("Recovered", "b"))
      ),
      "holds"
    )
  })

  it("is broken by what is told later, or never, and by what is told and did not happen", () => {
    const missing = "x did not tell of this: Vanished of instance a of p/web"
    assert.strictEqual(told(eventsTold, line(vanishes)), missing)
    assert.strictEqual(told(eventsTold, line(vanishes), line(tells("Vanished", "a"))), missing)
    const extra = "x told of what did not happen: StartFailed of instance a of p/web"
    assert.strictEqual(told(eventsTold, line(vanishes, tells("Vanished", "a"), tells("StartFailed", "a"))), extra)
    assert.strictEqual(told(eventsTold, line(tells("StartFailed", "a"))), extra)
    const quiet = change(instances, "a", { ...runs, state: "CREATING" }, runs)
    assert.strictEqual(told(eventsTold, line(quiet)), "holds", "a first start is not told")
  })

  it("is broken by a successor that is another, and by a wish to end that is told as the other kind", () => {
    const wrong = "fleet p/web: who replaces whom is not told as it is"
    assert.strictEqual(told(eventsTold, line(toldToGo, comes, tells("Replaced", "a", "by c"))), wrong)
    assert.strictEqual(told(eventsTold, line(toldToGo, comes, tells("DeletionRequested", "a"))), wrong)
    const surplus = [change(instances, "a", runs, { ...runs, liveName: null, deletionRequestedAt: 1 })]
    const scaled = tells("Scaled", null, "from 1 to 0")
    assert.strictEqual(told(eventsTold, line(...surplus, scaled, tells("Replaced", "a", "by b"))), wrong)
    assert.strictEqual(told(eventsTold, line(...surplus, scaled, tells("DeletionRequested", "a"))), "holds")
    assert.strictEqual(
      told(eventsTold, line(...surplus, tells("DeletionRequested", "a"))),
      "x did not tell of this: Scaled of fleet p/web"
    )
  })

  it("asks for what is wished of a fleet, what becomes of it, and that it leaves", () => {
    const fleet = fleetRow()
    const paused = fleetRow({ pausedAt: 1, generation: 2 })
    const parked = fleetRow({ parkedAt: 1, failures: 8, failure: "f" })
    const deleted = fleetRow({ deletionRequestedAt: 1, generation: 2 })
    const steps = [
      ["Paused", fleet, paused],
      ["Resumed", paused, fleetRow({ generation: 3 })],
      ["Parked", fleet, parked],
      ["Redriven", parked, fleetRow({ dueAt: 2 })],
      ["DeletionRequested", fleet, deleted],
      ["Removed", deleted, null]
    ] as const
    for (const [kind, before, after] of steps) {
      const changed = change(fleets, "p/web", before, after)
      assert.strictEqual(told(eventsTold, line(changed, tells(kind, null))), "holds", kind)
      const what = kind === "DeletionRequested" ? "the wish to end" : kind
      assert.strictEqual(told(eventsTold, line(changed)), `x did not tell of this: ${what} of fleet p/web`)
    }
  })

  it("lets only the leader forget, and nobody change what was told", () => {
    const event = row("Vanished", "a")
    const gone = change(events, "e", event, null)
    assert.strictEqual(told(eventsTold, [1, "n1", commit("events/purge", [gone], leads)]), "holds")
    assert.strictEqual(told(eventsTold, line(gone)), "event e was forgotten by x, which does not lead")
    const changed = change(events, "e", event, { ...event, detail: "nothing" })
    assert.strictEqual(told(eventsTold, line(changed)), "event e was changed")
  })
})
