import { assert, describe, it } from "@effect/vitest"
import { leaseOf, placementOf } from "../bucket/Bucket.ts"
import { fleets, fleetStatuses, type FleetStatus } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import type { Assigned } from "../member/MemberFacts.ts"
import { bucketPlacement } from "./bucketPlacement.ts"
import { effectsUnderLease } from "./effectsUnderLease.ts"
import { fencedWrites } from "./fencedWrites.ts"
import { change, commit, fleetRow, instanceRow, type Line, micros, told } from "./Story.fixture.ts"

const own = { lease: leaseOf(placementOf("web-0-a").bucketGroup), epoch: 1 }
const leader = { lease: "leader", epoch: 1 }

// covers A16
describe("fenced-writes", () => {
  const pending = instanceRow("web-0-a")
  const creating = instanceRow("web-0-a", { state: "CREATING", revision: 2 })
  const moved = change(instances, "web-0-a", pending, creating)

  it("holds for the owner of the bucket, for a heartbeat of anybody, and for counters of the leader", () => {
    const status: FleetStatus = {
      id: "p/web",
      observedGeneration: 1,
      live: 1,
      running: 1,
      error: 0,
      deleting: 0,
      parked: 0,
      ready: "True",
      readyChangedAt: 0,
      updatedAt: 0
    }
    const heard = { ...creating, lastHeartbeatAt: 1 }
    assert.strictEqual(
      told(
        fencedWrites,
        [1, "database", commit("instance/move/CREATING", [moved], [own])],
        [2, "database", commit("heartbeat/record", [change(instances, "web-0-a", creating, heard)])],
        [3, "database", commit("fleet/status", [change(fleetStatuses, "p/web", null, status)], [leader])]
      ),
      "holds"
    )
  })

  it("finds a state that was moved without a fence, or under another bucket's", () => {
    assert.include(told(fencedWrites, [1, "database", commit("instance/move", [moved])]), "without the fence of")
    const other = { lease: leaseOf((placementOf("web-0-a").bucketGroup + 1) % 32), epoch: 1 }
    assert.include(
      told(fencedWrites, [1, "database", commit("instance/move", [moved], [other])]),
      "without the fence of"
    )
  })

  it("finds a fleet that was scaled without a fence", () =>
    assert.include(
      told(fencedWrites, [
        1,
        "database",
        commit("fleet/scale", [change(fleets, "p/web", fleetRow(), fleetRow({ scaledGeneration: 1 }))])
      ]),
      "the scaling of fleet p/web"
    ))
})

describe("bucket-placement", () => {
  const assigned = (id: string, bucketGroups: ReadonlyArray<number>): Line => [
    1,
    id,
    { _tag: "Assigned", id, version: "n1/1*1 n2/1*1", bucketGroups } as Assigned
  ]
  const stored = (changes: object): Line => [
    1,
    "database",
    commit("fleet/scale", [change(instances, "web-0-a", null, instanceRow("web-0-a", changes))])
  ]

  it("holds for rows in their buckets and members that share", () =>
    assert.strictEqual(told(bucketPlacement, stored({}), assigned("n1", [0, 1]), assigned("n2", [2, 3])), "holds"))

  it("finds a row in a bucket that its key does not hash to", () =>
    assert.include(
      told(bucketPlacement, stored({ bucket: (placementOf("web-0-a").bucket + 1) % 1024 })),
      "not its own"
    ))

  it("finds two who see the same and want the same", () =>
    assert.include(told(bucketPlacement, assigned("n1", [0, 1]), assigned("n2", [1, 2])), "both want bucket group 1"))
})

describe("effects-under-lease", () => {
  const acts: Line = [
    0,
    "n1",
    { _tag: "ActingAs", holder: "n1/1", remainingMicros: micros(5), grants: [own] } as Line[2]
  ]
  const begins = (seconds: number, node = "n1"): Line => [
    seconds,
    node,
    { _tag: "EffectStarted", effect: "start", uid: "web-0-a", ...own } as Line[2]
  ]
  const ends = (seconds: number): Line => [
    seconds,
    "n1",
    { _tag: "EffectEnded", effect: "start", uid: "web-0-a", ...own, outcome: "done" } as Line[2]
  ]

  it("holds for one effect after the other within the lease", () =>
    assert.strictEqual(told(effectsUnderLease, acts, begins(1), ends(2), begins(3), ends(4)), "holds"))

  it("finds an effect that began after the lease had run out, or without it", () => {
    assert.include(told(effectsUnderLease, acts, begins(6)), "without holding")
    assert.include(told(effectsUnderLease, acts, begins(1, "n2")), "without holding")
  })

  it("finds two hands on one key", () =>
    assert.include(told(effectsUnderLease, acts, begins(1), begins(2)), "with two hands"))
})
