import { assert, describe, it } from "vitest"
import type { AuditView, EventView, FleetView, InstanceView } from "../../../core/api/Views.ts"
import { unfailed } from "../../../core/reconcile/Parking.ts"
import { fleetText } from "./describe.ts"

const fleet: FleetView = {
  id: "shop/web",
  project: "shop",
  name: "web",
  desired: 3,
  spec: { image: "web:1", size: "small" },
  generation: 2,
  deletionRequestedAt: null,
  createdAt: 0,
  status: { observedGeneration: 2, live: 3, running: 1, error: 1, deleting: 1 }
} as FleetView

const instance = (uid: string, changes: Partial<InstanceView>): InstanceView =>
  ({
    uid,
    name: uid,
    fleet: "shop/web",
    state: "RUNNING",
    reason: null,
    agent: null,
    deletionRequestedAt: null,
    ...unfailed,
    ...changes
  }) as InstanceView

const asked = { at: 0, principal: "ci", action: "fleets/put", status: 200, revision: 2 } as typeof AuditView.Type

describe("a fleet that is described", () => {
  it("says what is wanted, which instances are not done and why, and who asked for it", () => {
    const instances = [
      instance("web-1", { agent: "a2" }),
      instance("web-2", { state: "ERROR", reason: "start-timeout" as never }),
      instance("web-3", { deletionRequestedAt: 5 })
    ]
    const text = fleetText(fleet, instances, { events: [], changes: [asked] })
    assert.include(text, "fleet shop/web, generation 2: web:1, small")
    assert.include(text, "wanted 3, running 1, failed 1, on their way out 1")
    assert.include(text, "1 failed, to be replaced, on agents a2 (1)")
    assert.include(text, "Not done, 2 of its 3 instances")
    assert.include(text, "web-2  ERROR, start-timeout")
    assert.include(text, "web-3  RUNNING, its end was asked for")
    assert.match(text, /ci +fleets\/put +200 +2/)
  })

  it("says what is parked, why, and since when each of its conditions holds", () => {
    const parked = { state: "ERROR", reason: "StartFailed", failures: 8, failure: "its start failed" } as const
    const since = Date.now() * 1_000
    const conditions: FleetView["conditions"] = [
      { type: "Ready", status: "False", reason: "InstancesStalled", message: "1 parked", lastTransitionAt: since }
    ]
    const text = fleetText({ ...fleet, conditions }, [instance("web-2", { ...parked, parkedAt: since })], {
      events: [],
      changes: []
    })
    assert.include(text, "web-2  ERROR, StartFailed, its start failed (8 in a row), parked 0 s ago")
    assert.match(text, /Ready +False +0 s ago +InstancesStalled +1 parked/)
  })

  it("shows some of many, and says how many more there are", () => {
    const many = Array.from({ length: 20 }, (_, nth) => instance(`web-${nth}`, { state: "CREATING" }))
    assert.include(fleetText(fleet, many, { events: [], changes: [] }), "and 12 more: stormglass get instances")
  })

  it("tells what happened to it and to its instances, the newest first, and on one line whatever they wrote", () => {
    const of = { id: "", project: "shop", fleet: "shop/web" }
    const events: ReadonlyArray<EventView> = [
      { ...of, at: 2, kind: "Replaced", instance: "web-1", detail: "by web-2" },
      { ...of, at: 1, kind: "Vanished", instance: "web-1", detail: "it ran,\nand is gone" },
      { ...of, at: 0, kind: "Scaled", instance: null, detail: "from 0 to 1" }
    ]
    const [, , ...lines] = fleetText(fleet, [], { events, changes: [] }).split("What happened")[1]!.split("\n")
    assert.match(lines[0]!, /Replaced +web-1 +by web-2$/)
    assert.match(lines[1]!, /Vanished +web-1 +it ran,.*and is gone$/)
    assert.match(lines[2]!, /Scaled +fleet web +from 0 to 1$/)
    assert.include(
      fleetText(fleet, [], { events: [], changes: [] }),
      "Nothing happened to it in the last 24 hours but what was wished"
    )
  })

  it("says why it cannot show who asked", () => {
    assert.include(
      fleetText(fleet, [], { events: [], changes: undefined }),
      "in the audit, for keys with the verb admin"
    )
  })
})
