import { assert, describe, it } from "@effect/vitest"
import { AgentView, FleetView, InstanceView, LeaseView, MemberView } from "../api/Views.ts"
import { fleets, fleetStatuses } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import { change, fleetRow, instanceRow, leaseRow } from "../invariants/Story.fixture.ts"
import { leases } from "../ports/Storage.ts"
import {
  clusterKinds,
  decode,
  encode,
  eventOf,
  eventOfRow,
  type Frame,
  projectKinds,
  sees,
  tablesOf
} from "./WatchFrame.ts"

const told = (...args: Parameters<typeof change>) => eventOf({ ...change(...args), transactionId: 7 })?.event

describe("an event", () => {
  it("is what is shown of a row that came, changed and went", () => {
    const [first, second] = [instanceRow("a"), instanceRow("a", { state: "CREATING", revision: 2 })]
    const added = told(instances as never, "a", null, first)
    assert.deepInclude(added, { type: "added", kind: "instance", id: "a", project: "p" })
    assert.doesNotHaveAnyKeys(added!.document, ["bucket", "dueAt", "agentIncarnation", "liveName"])
    assert.strictEqual(told(instances as never, "a", first, second)!.document["revision"], 2)
    assert.strictEqual(told(instances as never, "a", second, null)!.type, "deleted")
  })

  it("shows of each row what the API shows of it", () => {
    // Conditions follow from the rest, and are not told.
    const { conditions: _, status, ...ofFleet } = FleetView.fields
    const { conditions: __, ...ofInstance } = InstanceView.fields
    const views = {
      fleet: ofFleet,
      "fleet-status": { id: FleetView.fields.id, ...status.members[0].fields },
      instance: ofInstance,
      member: MemberView.fields,
      lease: LeaseView.fields,
      agent: AgentView.fields
    }
    for (const { columns, name } of tablesOf({ project: undefined, kinds: [...projectKinds, ...clusterKinds] })) {
      const row = Object.fromEntries(Object.keys(columns).map((column) => [column, null]))
      const { event } = eventOfRow(name, { ...row, id: "p/web" })
      const document = JSON.parse(JSON.stringify(event.document)) as object
      assert.sameMembers(Object.keys(document), Object.keys(views[event.kind]), event.kind)
    }
  })

  it("is none when only idle counters moved: a heartbeat, a time to look, a renewal", () => {
    const running = instanceRow("a", { state: "RUNNING", lastHeartbeatAt: 1 })
    assert.isUndefined(
      told(instances as never, "a", running, { ...running, agent: "a1", agentIncarnation: 1, lastHeartbeatAt: 2 })
    )
    assert.isUndefined(told(fleets as never, "p/web", fleetRow(), fleetRow({ dueAt: 9, scaledGeneration: 1 })))
    const held = leaseRow(1)
    assert.isUndefined(told(leases as never, "leader", held, { ...held, renewedAt: 2, expiresAt: 8 }))
    assert.strictEqual(told(leases as never, "leader", held, { ...held, epoch: 2 })!.type, "modified")
  })

  it("is of the project that its fleet is of, and is seen by who asked for that", () => {
    const status = { id: "p/web", observedGeneration: 1, live: 1, running: 1, error: 0, deleting: 0, updatedAt: 0 }
    const counted = eventOf({ ...change(fleetStatuses, "p/web", null, status), transactionId: 7 })!
    assert.strictEqual(counted.event.project, "p")
    assert.isTrue(sees({ project: "p", kinds: ["fleets"] }, counted))
    assert.isFalse(sees({ project: "q", kinds: ["fleets"] }, counted))
    assert.isFalse(sees({ project: "p", kinds: ["instances"] }, counted))
    assert.deepStrictEqual(
      tablesOf({ project: "p", kinds: ["fleets"] }).map(({ name }) => name),
      [fleets.name, fleetStatuses.name]
    )
  })
})

it("a frame comes back as it went out, and what is none is passed over", () => {
  const event = eventOf({ ...change(instances, "a", null, instanceRow("a")), transactionId: 7 })!.event
  const frames: ReadonlyArray<Frame> = [
    { _tag: "Reset" },
    { _tag: "Changes", changes: { events: [event], isComplete: true }, token: "t1" },
    { _tag: "Changes", changes: { events: [], isComplete: false }, token: undefined },
    { _tag: "Bookmark", token: "t2" }
  ]
  for (const frame of frames) {
    const lines = new Map(
      encode(frame)
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string])
    )
    assert.deepStrictEqual(decode({ event: lines.get("event")!, id: lines.get("id"), data: lines.get("data")! }), frame)
  }
  assert.isUndefined(decode({ event: "changes", id: "t", data: "{" }))
  assert.isUndefined(decode({ event: "bookmark", id: undefined, data: "{}" }))
  assert.isUndefined(decode({ event: "message", id: "t", data: "{}" }))
})
