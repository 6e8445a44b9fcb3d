import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { State } from "../instance/Instance.ts"
import { type Member, plan, planOf } from "./FleetPlan.ts"
import { countOf, isReady, isSame, isSettled, orderBehind } from "./FleetStatus.ts"
import { unstable } from "./unstable.ts"

const member = (ordinal: number, state: State = "RUNNING", createdAt = ordinal): Member => ({
  uid: `i${ordinal}`,
  ordinal,
  state,
  createdAt,
  failures: null
})
const fleetOf = (count: number): ReadonlyArray<Member> => Array.from({ length: count }, (_, index) => member(index))

const fleets = fc.uniqueArray(
  fc.record({
    ordinal: fc.nat(30),
    state: fc.constantFrom<State>("PENDING", "CREATING", "RUNNING", "ERROR", "STOPPED"),
    createdAt: fc.nat(5),
    failures: fc.constant(null)
  }),
  { selector: ({ ordinal }) => ordinal, maxLength: 20 }
)

describe("FleetPlan", () => {
  for (const [desired, removed] of [
    [3, 7],
    [5, 5],
    [2, 8]
  ] as const) {
    // covers A10
    it(`takes exactly ${removed} away when scaled from 10 to ${desired}, the newest`, () => {
      const { create, remove } = plan(desired, fleetOf(10))
      assert.deepStrictEqual(create, [])
      assert.sameMembers(
        [...remove],
        Array.from({ length: removed }, (_, index) => `i${desired + index}`)
      )
    })
  }

  // covers A10
  it("chooses the failed, then those not yet running, then the newest", () => {
    const fleet = [member(0, "CREATING"), member(1), member(2), member(3, "ERROR"), member(4, "PENDING")]
    assert.deepStrictEqual(plan(4, fleet).remove, ["i3"])
    assert.deepStrictEqual(plan(2, fleet).remove, ["i3", "i4", "i0"])
    assert.deepStrictEqual(plan(1, fleet).remove, ["i3", "i4", "i0", "i2"])
  })

  it("replaces what failed under the same ordinal, when as many are still desired", () =>
    assert.deepStrictEqual(plan(3, [member(0), member(1, "ERROR"), member(2)]), { create: [1], remove: ["i1"] }))

  it("is nothing for a fleet that is paused, whatever is wished and whatever has failed; and as ever for one that is deleted", () =>
    fc.assert(
      fc.property(fc.nat(25), fleets, fc.boolean(), (desired, members, isDeleted) => {
        const live = members.map(({ ordinal, state, createdAt }) => member(ordinal, state, createdAt))
        const fleet = { desired, pausedAt: 7, deletionRequestedAt: isDeleted ? 8 : null }
        const expected = isDeleted ? plan(desired, live) : { create: [], remove: [] }
        const never = () => false
        assert.deepStrictEqual(planOf(fleet, live, never), expected)
        assert.deepStrictEqual(planOf({ ...fleet, pausedAt: null }, live, never), plan(desired, live))
      })
    ))

  it("leaves what was given up where it is, counts it as live, and takes it away first when fewer are desired", () => {
    const live = [member(0), member(1, "ERROR"), member(2)]
    const isGivenUp = ({ ordinal }: Member) => ordinal === 1
    assert.deepStrictEqual(plan(3, live, isGivenUp), { create: [], remove: [] })
    assert.deepStrictEqual(plan(4, live, isGivenUp), { create: [3], remove: [] })
    assert.deepStrictEqual(plan(2, live, isGivenUp), { create: [], remove: ["i1"] })
  })

  it("fills the lowest ordinals that are free", () =>
    assert.deepStrictEqual(plan(4, [member(1), member(4)]).create, [0, 2]))

  // covers A9, A10
  it("leaves exactly as many live as are desired, none of them failed and no ordinal twice; and has then nothing to do", () =>
    fc.assert(
      fc.property(fc.nat(25), fleets, (desired, members) => {
        const live = members.map(({ ordinal, state, createdAt }) => member(ordinal, state, createdAt))
        const { create, remove } = plan(desired, live)
        const staying = live.filter(({ uid }) => !remove.includes(uid))
        const after = [
          ...staying,
          ...create.map((ordinal) => ({ ...member(ordinal, "PENDING"), uid: `new${ordinal}` }))
        ]
        assert.strictEqual(after.length, desired)
        assert.strictEqual(new Set(after.map(({ ordinal }) => ordinal)).size, desired)
        assert.isFalse(after.some(({ state }) => state === "ERROR"))
        assert.deepStrictEqual(plan(desired, after), { create: [], remove: [] })
      })
    ))

  it("is the same whatever the order in which the members are read", () =>
    fc.assert(
      fc.property(fc.nat(25), fleets, (desired, members) => {
        const live = members.map(({ ordinal, state, createdAt }) => member(ordinal, state, createdAt))
        const [one, other] = [plan(desired, live), plan(desired, live.toReversed())]
        assert.deepStrictEqual(one.create, other.create)
        assert.sameMembers([...one.remove], [...other.remove])
      })
    ))
})

describe("FleetStatus", () => {
  const fleet = {
    id: "p/web",
    desired: 2,
    generation: 3,
    scaledGeneration: 3,
    deletionRequestedAt: null,
    pausedAt: null
  }

  it("counts what is live apart from what is leaving", () => {
    const counts = countOf(fleet, [
      { state: "RUNNING", deletionRequestedAt: null, parkedAt: null },
      { state: "ERROR", deletionRequestedAt: null, parkedAt: null },
      { state: "RUNNING", deletionRequestedAt: 5, parkedAt: null }
    ])
    assert.deepStrictEqual(counts, {
      id: "p/web",
      observedGeneration: 3,
      live: 2,
      running: 1,
      error: 1,
      deleting: 1,
      parked: 0
    })
    assert.isFalse(isSettled(fleet, counts))
    assert.isFalse(isSame(counts, { ...counts, deleting: 0 }))
  })

  it("counts each of many fleets before any of them again, however short the rounds are cut (1 of 300 at the least)", () =>
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 300 }),
        fc.nat(300),
        fc.string(),
        (ids, more, start) => {
          const counted: Array<string> = []
          while (counted.length < ids.length) {
            const order = orderBehind(ids, counted.at(-1) ?? start)
            assert.sameMembers([...order], ids)
            counted.push(...order.slice(0, 1 + more))
          }
          assert.sameMembers(counted.slice(0, ids.length), ids)
        }
      ),
      { numRuns: 50 }
    ))

  it("begins behind where it was also when that one is gone, and goes round", () => {
    assert.deepStrictEqual(orderBehind(["c", "a", "d"], "b"), ["c", "d", "a"])
    assert.deepStrictEqual(orderBehind(["c", "a"], "d"), ["a", "c"])
    assert.deepStrictEqual(orderBehind([], "d"), [])
  })

  it("is settled when as many run as are desired, for this generation, and nothing is leaving", () => {
    const running = { state: "RUNNING", deletionRequestedAt: null, parkedAt: null } as const
    assert.isTrue(isSettled(fleet, countOf(fleet, [running, running])))
    assert.isFalse(isSettled({ ...fleet, generation: 4 }, countOf(fleet, [running, running])))
  })

  // covers A8
  it("is settled in nothing less than everything: the generation, how many are live, how many run, and that none is leaving", () => {
    const counts = { id: "p/web", observedGeneration: 3, live: 2, running: 2, error: 0, deleting: 0, parked: 0 }
    assert.isTrue(isSettled(fleet, counts))
    for (const change of [
      { observedGeneration: 2 },
      { live: 1 },
      { live: 3 },
      { running: 1 },
      { running: 3 },
      { deleting: 1 }
    ]) {
      assert.isFalse(isSettled(fleet, { ...counts, ...change }), JSON.stringify(change))
    }
  })

  it("is ready and settled while it is paused, as the pause is a generation that nobody works on", () => {
    const counts = { id: "p/web", observedGeneration: 2, live: 2, running: 2, error: 0, deleting: 0, parked: 0 }
    const paused = { ...fleet, pausedAt: 9 }
    assert.isTrue(isReady(paused, counts))
    assert.isTrue(isSettled(paused, counts))
    assert.isFalse(isReady(paused, { ...counts, running: 1 }))
    assert.isFalse(isReady(fleet, counts))
    assert.isFalse(isReady({ ...paused, deletionRequestedAt: 10 }, { ...counts, observedGeneration: 3 }))
  })

  it("counts as parked what failed too often, and not what still has to start", () => {
    const counts = countOf(fleet, [
      { state: "ERROR", deletionRequestedAt: null, parkedAt: 1 },
      { state: "ERROR", deletionRequestedAt: null, parkedAt: null },
      { state: "CREATING", deletionRequestedAt: null, parkedAt: 1 }
    ])
    assert.deepInclude(counts, { live: 3, error: 2, parked: 1 })
    assert.strictEqual(unstable({ ...fleet, status: counts }), "1 failed, to be replaced")
  })

  it("is the same only when each of its counters is", () => {
    const counts = { id: "p/web", observedGeneration: 3, live: 4, running: 2, error: 1, deleting: 0, parked: 0 }
    assert.isTrue(isSame(counts, { ...counts }))
    for (const counter of ["observedGeneration", "live", "running", "error", "deleting", "parked"] as const) {
      assert.isFalse(isSame(counts, { ...counts, [counter]: 9 }), counter)
    }
  })

  it("counts as failed what is in ERROR and live, and nothing else", () => {
    const of = (state: State, deletionRequestedAt: number | null = null) => ({
      state,
      deletionRequestedAt,
      parkedAt: null
    })
    const members = [
      of("RUNNING"),
      of("PENDING"),
      of("ERROR"),
      of("ERROR"),
      of("RUNNING"),
      of("RUNNING"),
      of("ERROR", 1)
    ]
    assert.deepInclude(countOf(fleet, members), { live: 6, running: 3, error: 2, deleting: 1 })
  })
})
