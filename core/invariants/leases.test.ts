import { assert, describe, it } from "@effect/vitest"
import type { ActingAs, StoppedActing } from "../lease/LeaseFacts.ts"
import { leases, type LeaseRow } from "../ports/Storage.ts"
import { type Member, members } from "../member/Member.ts"
import type { Joined } from "../member/MemberFacts.ts"
import { leaseExclusion } from "./leaseExclusion.ts"
import { leaseFencing } from "./leaseFencing.ts"
import { leaseOverrun } from "./leaseOverrun.ts"
import { leaseRows } from "./leaseRows.ts"
import { memberIncarnations } from "./memberIncarnations.ts"
import { change, clockSet, commit, leaseRow, type Line, micros, told } from "./Story.fixture.ts"

const written = (seconds: number, before: LeaseRow | null, after: LeaseRow | null, label = "lease/acquire"): Line => [
  seconds,
  "database",
  commit(label, [change(leases, "leader", before, after)])
]
const acts = (seconds: number, holder: string, epoch: number, remainingSeconds: number): Line => [
  seconds,
  holder.split("/")[0]!,
  {
    _tag: "ActingAs",
    holder,
    remainingMicros: micros(remainingSeconds),
    grants: [{ lease: "leader", epoch }]
  } as ActingAs
]
const stops = (seconds: number, holder: string, epoch: number): Line => [
  seconds,
  holder.split("/")[0]!,
  { _tag: "StoppedActing", holder, lease: "leader", epoch } as StoppedActing
]
/** Said by the process after it on the same node. */
const again = ([seconds, node, fact]: Line): Line => [seconds, node, fact, 2]

const first = leaseRow(0)
const renewed = { ...first, renewedAt: micros(2), expiresAt: micros(8) }
const second = leaseRow(8.5, { holder: "n2/1", epoch: 2 })
const handOver = [
  written(0, null, first),
  acts(0.01, "n1/1", 1, 5.6),
  written(2, first, renewed, "lease/renew"),
  acts(2.01, "n1/1", 1, 5.6)
]

describe("lease-exclusion", () => {
  it("holds when one takes over after the other's time has passed, though nothing was heard of it", () =>
    assert.strictEqual(
      told(leaseExclusion, ...handOver, written(8.5, renewed, second), acts(8.6, "n2/1", 2, 5)),
      "holds"
    ))

  it("holds when the other has stopped before its time", () =>
    assert.strictEqual(told(leaseExclusion, ...handOver, stops(3, "n1/1", 1), acts(3.1, "n2/1", 2, 5)), "holds"))

  it("finds two who act at once", () =>
    assert.strictEqual(
      told(leaseExclusion, ...handOver, acts(4, "n2/1", 2, 5)),
      "n2/1 acts under lease leader while n1/1 still does"
    ))

  it("finds a restarted process that goes on under the name of the one before, whose time is not over", () => {
    const asBefore: Line = again(acts(4, "n1/1", 2, 5))
    assert.strictEqual(
      told(leaseExclusion, ...handOver, asBefore),
      "n1/1 acts under lease leader while n1/1 still does"
    )
  })

  it("does not take the end of one process for that of another of the same name", () => {
    const other: Line = again(acts(4, "n1/1", 1, 3))
    assert.strictEqual(
      told(leaseExclusion, ...handOver, again(stops(3, "n1/1", 1)), other),
      "n1/1 acts under lease leader while n1/1 still does"
    )
    assert.strictEqual(told(leaseExclusion, ...handOver, stops(3, "n1/1", 1), other), "holds")
  })

  it("finds one who counts from the answer, and so for longer than its row lasts", () =>
    assert.strictEqual(
      told(leaseExclusion, written(0, null, first), acts(0.9, "n1/1", 1, 5.7)),
      "n1/1 means to act under lease leader for longer than its row lasts"
    ))

  it("bends for T after the database's clock has jumped, and not longer", () => {
    const jumped = leaseRow(64, { holder: "n2/1", epoch: 2 })
    const story = [...handOver, clockSet(3.9, 63.9, 60), written(4, renewed, jumped), acts(4.1, "n2/1", 2, 5)]
    const later = written(10, jumped, { ...jumped, renewedAt: micros(69.9), expiresAt: micros(75.9) }, "lease/renew")
    assert.strictEqual(told(leaseExclusion, ...story), "holds")
    assert.include(
      told(leaseExclusion, ...story, later, acts(10.1, "n2/1", 2, 5), acts(11, "n3/1", 3, 5)),
      "n3/1 acts under lease leader while n2/1"
    )
  })
})

describe("lease-overrun", () => {
  const says = (seconds: number, node: string, tag: string): Line => [seconds, node, { _tag: tag }]
  const another = acts(20, "n2/1", 2, 5)

  it("holds for work that has ended in time, and for a process that has", () => {
    assert.strictEqual(told(leaseOverrun, ...handOver, stops(6, "n1/1", 1), another), "holds")
    assert.strictEqual(told(leaseOverrun, ...handOver, says(7.6, "n1", "NodeExited"), another), "holds")
    assert.strictEqual(told(leaseOverrun, ...handOver, says(7.6, "n1", "NodeCrashed"), another), "holds")
  })

  it("holds for as long as renewals come", () =>
    assert.strictEqual(told(leaseOverrun, ...handOver, acts(7, "n1/1", 1, 5.6), acts(12, "n1/1", 1, 5.6)), "holds"))

  it("finds work that goes on in a process that lives", () =>
    assert.strictEqual(
      told(leaseOverrun, ...handOver, another),
      "n1 is still at work under leader@1, which it has long ceased to hold"
    ))

  it("asks nothing of a paused process, and soon much of one that was resumed", () => {
    const paused = [...handOver, says(4, "n1", "NodePaused")]
    assert.strictEqual(told(leaseOverrun, ...paused, another), "holds")
    const resumed = [...paused, says(19, "n1", "NodeResumed")]
    assert.strictEqual(told(leaseOverrun, ...resumed, another), "holds")
    assert.include(told(leaseOverrun, ...resumed, another, acts(22.1, "n2/1", 2, 5)), "n1 is still at work")
  })
})

describe("lease-fencing", () => {
  const fenced = (seconds: number, epoch: number): Line => [
    seconds,
    "database",
    commit("fleet/scale", [], [{ lease: "leader", epoch }])
  ]

  it("holds for writes under the epoch of the day", () =>
    assert.strictEqual(
      told(leaseFencing, ...handOver, fenced(3, 1), written(8.5, renewed, second), fenced(9, 2)),
      "holds"
    ))

  it("finds a write of a deposed owner, also when the database's clock was set in between", () =>
    assert.strictEqual(
      told(leaseFencing, ...handOver, written(4, renewed, leaseRow(64, { holder: "n2/1", epoch: 2 })), fenced(5, 1)),
      "fleet/scale was committed under a deposed epoch of lease leader"
    ))
})

describe("lease-rows", () => {
  const releasedRow = { ...renewed, expiresAt: micros(3), releasedAt: micros(3) }

  it("holds from acquisition over renewal, release and take-over", () =>
    assert.strictEqual(
      told(
        leaseRows,
        ...handOver,
        stops(2.9, "n1/1", 1),
        written(3, renewed, releasedRow, "lease/release"),
        written(3.2, releasedRow, leaseRow(3.2, { holder: "n2/1", epoch: 2 }))
      ),
      "holds"
    ))

  const joins = (seconds: number, incarnation: number): Line => [
    seconds,
    "n1",
    { _tag: "Joined", id: "n1", incarnation: 1, address: "n1:8081" } as Joined,
    incarnation
  ]

  it("lets a holder that lost an answer acquire again, and no other process of its name", () => {
    const anew = written(3, renewed, leaseRow(3, { epoch: 2 }))
    assert.strictEqual(told(leaseRows, joins(0, 1), ...handOver, anew), "holds")
    assert.include(told(leaseRows, joins(0, 1), ...handOver, joins(2.5, 2), anew), "taken over before it had expired")
  })

  it("finds a take-over before the row had expired", () =>
    assert.include(
      told(leaseRows, ...handOver, written(7, renewed, leaseRow(7, { holder: "n2/1", epoch: 2 }))),
      "taken over before it had expired"
    ))

  it("finds a holder who changed without a new epoch", () =>
    assert.include(
      told(leaseRows, ...handOver, written(9, renewed, leaseRow(9, { holder: "n2/1", acquiredAt: 0 }))),
      "its holder changed and its epoch did not"
    ))

  it("finds an epoch that was given before", () =>
    assert.include(
      told(leaseRows, ...handOver, written(9, { ...renewed, epoch: 3 }, leaseRow(9, { holder: "n2/1", epoch: 1 }))),
      "its epoch went from 1 to 1"
    ))

  it("finds a renewal that revives what had expired", () =>
    assert.include(
      told(
        leaseRows,
        ...handOver,
        written(9, renewed, { ...renewed, renewedAt: micros(9), expiresAt: micros(15) }, "lease/renew")
      ),
      "renewed after it had expired"
    ))

  it("finds a release by somebody else, while the holder acts", () =>
    assert.include(
      told(leaseRows, ...handOver, written(3, renewed, releasedRow, "lease/release")),
      "released while its holder still acts"
    ))

  it("finds a row that was deleted", () =>
    assert.include(told(leaseRows, ...handOver, written(9, renewed, null)), "its row was deleted"))
})

describe("member-incarnations", () => {
  const row = (seconds: number, incarnation: number): Member => ({
    id: "n1",
    address: "n1:8081",
    incarnation,
    weight: 1,
    joinedAt: micros(seconds),
    seenAt: micros(seconds),
    leavingAt: null
  })
  const stored = (before: Member | null, after: Member | null): Line => [
    1,
    "database",
    commit("member/join", [change(members, "n1", before, after)])
  ]
  const speaks = (node: string, incarnation: number): Line => [
    1,
    node,
    { _tag: "Joined", id: "n1", incarnation: 1, address: "n1:8081" } as Joined,
    incarnation
  ]

  it("holds for one who joins, beats and joins again", () =>
    assert.strictEqual(
      told(
        memberIncarnations,
        stored(null, row(0, 1)),
        speaks("n1", 1),
        stored(row(0, 1), { ...row(0, 1), seenAt: micros(2) }),
        stored(row(0, 1), row(9, 2))
      ),
      "holds"
    ))

  it("finds an incarnation that is given out again, also after the row was deleted in between", () => {
    assert.include(told(memberIncarnations, stored(null, row(0, 1)), stored(row(0, 1), row(9, 1))), "went from 1 to 1")
    assert.include(
      told(memberIncarnations, stored(null, row(0, 1)), stored(row(0, 1), null), stored(null, row(9, 1))),
      "went from 1 to 1"
    )
  })

  it("finds one that changes without a join", () =>
    assert.include(told(memberIncarnations, stored(row(0, 1), row(0, 2))), "went from 0 to 2"))

  it("finds two processes that act as one, on one node or on two", () => {
    assert.strictEqual(told(memberIncarnations, speaks("n1", 1), speaks("n1", 1)), "holds")
    assert.include(told(memberIncarnations, speaks("n1", 1), speaks("n1", 2)), "two processes act as n1/1")
    assert.include(told(memberIncarnations, speaks("n1", 1), speaks("n2", 1)), "two processes act as n1/1")
  })
})
