import { assert, describe, it } from "@effect/vitest"
import { groups, leaseOf } from "../bucket/Bucket.ts"
import { fleets, type FleetStatus, fleetStatuses } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import * as Leader from "../Leader.ts"
import { type Member, members } from "../member/Member.ts"
import type { Assigned } from "../member/MemberFacts.ts"
import { leases } from "../ports/Storage.ts"
import * as Convergence from "./Convergence.ts"
import { change, commit, envelopes, fleetRow, instanceRow, leaseRow, type Line, micros } from "./Story.fixture.ts"

const member: Member = {
  id: "n1",
  address: "http://n1:8081",
  incarnation: 1,
  weight: 1,
  joinedAt: 0,
  seenAt: 0,
  leavingAt: null
}
const leased: Line = [
  0,
  "database",
  commit(
    "lease/acquire",
    [Leader.lease, ...groups.map(leaseOf)].map((key) => change(leases, key, null, leaseRow(0, { key })))
  )
]
const joined: Line = [0, "database", commit("member/beat", [change(members, "n1", null, member)])]
const assigned = (version: string): Line => [
  0,
  "n1",
  { _tag: "Assigned", id: "n1", version, bucketGroups: groups } as Assigned
]
const running = instanceRow("a", { state: "RUNNING", lastHeartbeatAt: 1 })
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
const settled: ReadonlyArray<Line> = [
  leased,
  joined,
  assigned("n1/1*1"),
  [1, "database", commit("fleets/put", [change(fleets, "p/web", null, fleetRow({ scaledGeneration: 1 }))])],
  [1, "database", commit("instance/move", [change(instances, "a", null, running)])],
  [1, "", { _tag: "ProviderStarted", uid: "a", resource: "r1" } as Line[2]],
  [1, "database", commit("fleet/status", [change(fleetStatuses, "p/web", null, status)])]
]
const missing = (atSeconds: number, ...lines: ReadonlyArray<Line>): ReadonlyArray<string> => {
  const convergence = Convergence.start()
  for (const envelope of envelopes(lines)) convergence.step(envelope)
  return convergence.missing(micros(atSeconds))
}

describe("Convergence", () => {
  // covers A8
  it("misses nothing when all leases are held, all members agree and all that is wanted runs", () =>
    assert.deepStrictEqual(missing(2, ...settled), []))

  it("misses a lease that has run out", () => assert.include(missing(7, ...settled), "lease leader: nobody holds it"))

  it("misses the agreement of a member that has just come back", () => {
    const back = { ...member, incarnation: 2 }
    const line: Line = [2, "database", commit("member/join", [change(members, "n1", member, back)])]
    assert.deepStrictEqual(missing(2, ...settled, line), ["member n1: does not yet see who else is there"])
    assert.include(missing(2, ...settled, line, assigned("n1/2*1")), "member n1: waits for bucket group 0")
  })

  it("misses what does not run, what is not counted, and what nobody owns", () => {
    const gone: Line = [2, "database", commit("instance/remove", [change(instances, "a", running, null)])]
    assert.deepStrictEqual(missing(2, ...settled, gone), [
      "fleet p/web: 0 of 1 run",
      "fleet p/web: not counted since",
      "resource of a: nobody owns it"
    ])
  })

  it("misses a resource that its row takes to be running", () =>
    assert.deepStrictEqual(
      missing(2, ...settled, [2, "", { _tag: "ProviderStopped", uid: "a", resource: "r1" } as Line[2]]),
      ["instance a: runs by its row, and is not there"]
    ))
})
