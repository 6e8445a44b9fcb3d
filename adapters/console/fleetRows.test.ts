import { assert, describe, it } from "@effect/vitest"
import type { InstanceView } from "../../core/api/Views.ts"
import { unfailed } from "../../core/reconcile/Parking.ts"
import { agentsOf, doingOf, fleetRows, instancesFound, onTheirWay } from "./fleetRows.ts"
import { bucketsOf, compareNumbered, leaseRows, memberRows, otherNodes, roleOf } from "./holdings.ts"
import type { Documents, Tables } from "./documents.ts"
import { noTables } from "./tables.ts"
import { ageOf, counted, duration, listed } from "./texts.ts"

const fleet = (name: string, desired: number): Documents["fleet"] => ({
  id: `p/${name}`,
  project: "p",
  name,
  desired,
  spec: { image: "web:1", size: "small" },
  generation: 1,
  createdAt: 0,
  deletionRequestedAt: null,
  pausedAt: null,
  ...unfailed
})
const instance = (uid: string, changes: Partial<InstanceView> = {}): InstanceView => ({
  uid,
  project: "p",
  name: uid,
  fleet: "p/web",
  ordinal: Number(uid.split("-")[1]),
  spec: { image: "web:1", size: "small" },
  state: "RUNNING",
  reason: null,
  revision: 1,
  createdAt: 0,
  deletionRequestedAt: null,
  agent: null,
  lastHeartbeatAt: null,
  ...unfailed,
  ...changes
})
const told = <D>(documents: ReadonlyArray<readonly [string, D, number?]>) =>
  new Map(documents.map(([id, document, sinceMillis]) => [id, { document, sinceMillis }]))

const tables: Tables = {
  ...noTables,
  fleet: told([
    ["p/web", fleet("web", 3)],
    ["p/api", fleet("api", 0)]
  ]),
  "fleet-status": told([["p/web", { observedGeneration: 1, live: 3, running: 1, error: 1, deleting: 1, parked: 0 }]]),
  instance: told([
    ["web-10", instance("web-10", { state: "CREATING" }), 40],
    ["web-9", instance("web-9", { state: "PENDING", failures: 7, failure: "its start failed" }), 50],
    ["web-2", instance("web-2", { state: "ERROR", reason: "Vanished" }), 60],
    ["web-1", instance("web-1")],
    ["web-0", instance("web-0", { deletionRequestedAt: 1 }), 10],
    ["lone-0", instance("lone-0", { fleet: null, state: "STOPPED" })]
  ])
}

describe("fleets", () => {
  it("come with their counters, what their instances do, and why they are not as they are wanted", () => {
    const [api, web] = fleetRows(tables)
    assert.deepInclude(web, { name: "web", why: "1 failed, to be replaced" })
    assert.deepStrictEqual([web!.failing, api!.failing], ["its start failed, 7 times in a row", undefined])
    assert.deepStrictEqual(web!.doing, { running: 1, starting: 2, changing: 0, failed: 1, leaving: 1 })
    assert.deepInclude(api, { name: "api", status: null, why: "not counted since its last change" })
  })

  it("have instances on their way: the failed first, then those who have been so for longest", () => {
    assert.deepStrictEqual(
      onTheirWay(tables).map(({ document }) => document.uid),
      ["web-2", "web-0", "web-10", "web-9"]
    )
  })

  it("have instances that are found by any words about them, in the order of their numbers", () => {
    const found = (words: string) => instancesFound(tables, words).map(({ document }) => document.uid)
    assert.deepStrictEqual(found("WEB starting"), ["web-9", "web-10"])
    assert.deepStrictEqual(found("vanished"), ["web-2"])
    assert.lengthOf(found(" "), 6)
  })

  it("have instances that agents speak for, by what was asked last or told with their last change", () => {
    const running: Tables = {
      ...noTables,
      instance: told([
        ["web-0", instance("web-0", { agent: "a1" })],
        ["web-1", instance("web-1")],
        ["web-2", instance("web-2", { agent: "a1", revision: 9 })],
        ["web-3", instance("web-3")]
      ])
    }
    const placed = { agent: "a2", revision: 1 }
    const asked = new Map(["web-1", "web-2", "gone"].map((uid) => [uid, placed]))
    assert.deepStrictEqual(Object.fromEntries(agentsOf(running, asked)), {
      "web-0": "a1",
      "web-1": "a2",
      "web-2": "a1"
    })
  })

  it("lose instances, which are then leaving whatever their state", () => {
    assert.strictEqual(doingOf({ state: "RUNNING", deletionRequestedAt: 1 }), "leaving")
    assert.strictEqual(doingOf({ state: "MODIFYING", deletionRequestedAt: null }), "changing")
  })
})

describe("members", () => {
  const member = (id: string, incarnation: number, leavingAt: number | null = null): Documents["member"] => ({
    id,
    address: `http://${id}`,
    incarnation,
    weight: id === "n1" ? 0 : 1,
    joinedAt: 0,
    seenAt: 0,
    leavingAt
  })
  const lease = (key: string, holder: string, releasedAt: number | null = null): Documents["lease"] => ({
    key,
    holder,
    epoch: 7,
    acquiredAt: 0,
    renewedAt: 0,
    expiresAt: 0,
    releasedAt
  })
  const leases = [
    lease("buckets/10", "n2/1"),
    lease("buckets/9", "n2/1"),
    lease("leader", "n2/1"),
    // Of the process before the present one.
    lease("buckets/1", "n1/1")
  ]
  const cluster: Tables = {
    ...noTables,
    member: told([member("n10", 1), member("n2", 1), member("n1", 2), member("n0", 1, 5)].map((it) => [it.id, it])),
    lease: told([...leases, lease("buckets/2", "n2/1", 3)].map((it) => [it.key, it]))
  }

  it("hold what their present incarnation took and has not released; who left is last", () => {
    assert.deepStrictEqual(
      memberRows(cluster).map((row) => [row.member.id, roleOf(row), row.buckets]),
      [
        ["n1", "API only", 0],
        ["n2", "leader, epoch 7", 64],
        ["n10", "follower", 0],
        ["n0", "left", 0]
      ]
    )
  })

  it("have consoles elsewhere, but for those who left and the one that is here, by whichever name", () => {
    const at = (id: string, address: string) => [id, { ...member(id, 1), address }] as const
    const several: Tables = {
      ...noTables,
      member: told([
        at("n1", "http://localhost:1"),
        at("n2", "http://127.0.0.1:2"),
        at("n3", "gone"),
        at("n4", "ftp://x")
      ])
    }
    assert.deepStrictEqual(otherNodes(several, "http://127.0.0.1:1"), [{ id: "n2", origin: "http://127.0.0.1:2" }])
    assert.deepStrictEqual(
      otherNodes(cluster, "http://n2").map(({ id }) => id),
      ["n1", "n10"]
    )
  })

  it("lease groups of buckets, the leader's lease first and numbers in their order", () => {
    assert.deepStrictEqual(
      leaseRows(cluster).map(({ key }) => key),
      ["leader", "buckets/1", "buckets/2", "buckets/9", "buckets/10"]
    )
    assert.deepStrictEqual(["leader", "buckets/0", "buckets/31"].map(bucketsOf), [undefined, "0–31", "992–1023"])
    assert.deepStrictEqual(["a", "n", "n2b", "n2", "n10", "02", "2"].toSorted(compareNumbered), [
      "2",
      "02",
      "a",
      "n",
      "n2",
      "n2b",
      "n10"
    ])
  })
})

it("words for people are short", () => {
  assert.deepStrictEqual([-5, 3_900, 99_999, 100_000, 7_200_000, 400_000_000].map(duration), [
    "0 s",
    "3 s",
    "99 s",
    "1 min",
    "2 h",
    "4 d"
  ])
  assert.strictEqual(ageOf(1_000_000, 3_000), "2 s")
  assert.deepStrictEqual([counted(1, "fleet"), counted(1_200, "fleet")], ["1 fleet", "1,200 fleets"])
  assert.strictEqual(listed({ running: 2, failed: 0, starting: 1 }), "2 running, 1 starting")
})
