import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { leaseRow } from "../invariants/Story.fixture.ts"
import { type LeaseRow, leases } from "../ports/Storage.ts"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import * as Lease from "./Lease.ts"

const profiles = fc
  .record({
    durationMillis: fc.integer({ min: 1, max: 60_000 }),
    renewDeadlineMillis: fc.integer({ min: 1, max: 60_000 }),
    retryPeriodMillis: fc.integer({ min: 1, max: 10_000 })
  })
  .filter((profile) => Lease.problems(profile).length === 0)

describe("Lease", () => {
  it("accepts both published profiles", () => {
    assert.deepStrictEqual(Lease.problems(Lease.profileDefault), [])
    assert.deepStrictEqual(Lease.problems(Lease.profileConservative), [])
  })

  // covers A19
  it("refuses a holder that may act as long as its row lasts (T = R)", () => {
    assert.deepStrictEqual(
      Lease.problems({ durationMillis: 4_000, renewDeadlineMillis: 4_000, retryPeriodMillis: 500 }),
      ["the duration (4000 ms) must exceed the renew deadline (4000 ms)"]
    )
  })

  it("refuses a duration that drift alone uses up (T = 4.1 s, R = 4 s)", () => {
    assert.deepStrictEqual(
      Lease.problems({ durationMillis: 4_100, renewDeadlineMillis: 4_000, retryPeriodMillis: 500 }),
      ["the duration (4100 ms) less 5 % drift must exceed the renew deadline (4000 ms)"]
    )
  })

  // covers A19
  it("refuses a deadline that leaves no second attempt (R = 1.2 P)", () => {
    assert.deepStrictEqual(
      Lease.problems({ durationMillis: 2_000, renewDeadlineMillis: 1_200, retryPeriodMillis: 1_000 }),
      ["the renew deadline (1200 ms) must exceed 1.2 retry periods (1000 ms)"]
    )
  })

  it("refuses what is just not enough, and no more than that (each of its figures one millisecond off)", () => {
    const isSound = (durationMillis: number, renewDeadlineMillis: number, retryPeriodMillis: number) =>
      Lease.problems({ durationMillis, renewDeadlineMillis, retryPeriodMillis }).length === 0
    assert.deepStrictEqual([isSound(2_000, 1_201, 1_000), isSound(2_000, 1_200, 1_000)], [true, false])
    assert.deepStrictEqual([isSound(4_001, 3_800, 500), isSound(4_000, 3_800, 500)], [true, false])
    assert.deepStrictEqual([isSound(9_000, 3_001, 500), isSound(9_000, 3_000, 500)], [true, false])
    assert.deepStrictEqual([isSound(6_000, 4_000, 1), isSound(6_000, 4_000, 0)], [true, false])
  })

  it("says of a retry period of 0 that it must be positive", () =>
    assert.deepStrictEqual(Lease.problems({ ...Lease.profileDefault, retryPeriodMillis: 0 }), [
      "the retry period must be positive, it is 0 ms"
    ]))

  it("has the figures that the documentation names: 6 s, 4 s, 0.5 s, and those of client-go", () => {
    assert.deepStrictEqual(Object.values(Lease.profileDefault), [6_000, 4_000, 500])
    assert.deepStrictEqual(Object.values(Lease.profileConservative), [15_000, 10_000, 2_000])
    assert.strictEqual(Lease.renewIntervalMillis(Lease.profileDefault), 2_000)
    assert.strictEqual(Lease.attemptTimeoutMillis(Lease.profileDefault), 1_000)
  })

  it("refuses to renew later than the deadline (R < T / 3)", () => {
    assert.include(
      Lease.problems({ durationMillis: 9_000, renewDeadlineMillis: 2_000, retryPeriodMillis: 500 }).join(),
      "a third of the duration"
    )
  })

  it("leaves time for two attempts between the renewal that is due and the deadline, whatever the profile", () =>
    fc.assert(
      fc.property(profiles, (profile) => {
        const attempts = 2 * Lease.attemptTimeoutMillis(profile)
        assert.isAbove(attempts, 0)
        assert.isAtMost(Lease.renewIntervalMillis(profile) + attempts, profile.renewDeadlineMillis + 1e-6)
      })
    ))

  // covers A19
  it("acts, then stops, then has overrun, and has overrun before the row can expire under the worst drift", () =>
    fc.assert(
      fc.property(profiles, fc.nat(1e9), fc.nat(120_000_000), (profile, sentAtMicros, elapsedMicros) => {
        const standing = Lease.standing(profile, sentAtMicros, sentAtMicros + elapsedMicros)
        const elapsedMillis = elapsedMicros / 1_000
        assert.strictEqual(standing._tag === "Act", elapsedMillis < profile.renewDeadlineMillis)
        // A clock that runs 5 % slow shows 0.95 T when the row, on the database's clock, is T old.
        if (elapsedMillis >= profile.durationMillis * 0.95 + 0.001) assert.strictEqual(standing._tag, "Overrun")
      })
    ))

  it("names the moment that comes next", () => {
    const sentAtMicros = 1_000_000
    assert.deepStrictEqual(Lease.standing(Lease.profileDefault, sentAtMicros, sentAtMicros), {
      _tag: "Act",
      untilMicros: 5_000_000
    })
    assert.deepStrictEqual(Lease.standing(Lease.profileDefault, sentAtMicros, 5_000_000), {
      _tag: "Stop",
      byMicros: 6_700_000
    })
    assert.deepStrictEqual(Lease.standing(Lease.profileDefault, sentAtMicros, 6_700_000), { _tag: "Overrun" })
  })
})

describe("the rows of leases", () => {
  const profile = Lease.profileDefault
  const nowMicros = new StillDatabase(leases).nowMicros
  const me = "n1/1"

  /** Rows of a, b and c, or none: of this process or another, in two epochs, just past, at and before their end; perhaps released. */
  const stored = fc
    .tuple(
      ...["a", "b", "c"].map((key) =>
        fc.option(
          fc.record({
            key: fc.constant(key),
            holder: fc.constantFrom(me, "n1/2"),
            epoch: fc.constantFrom(1, 2),
            expiresAt: fc.constantFrom(nowMicros - 1, nowMicros, nowMicros + 1),
            releasedAt: fc.constantFrom(null, nowMicros - 1)
          }),
          { freq: 5 }
        )
      )
    )
    .map((rows) => rows.filter((row) => row !== null).map((row) => leaseRow(1, row)))
  const fences = fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(1, 2)).map(([one, other]) => [
    { lease: "a", epoch: one },
    { lease: "b", epoch: other }
  ])
  const isLive = (row: LeaseRow) => row.expiresAt > nowMicros
  const expiresAt = nowMicros + profile.durationMillis * 1_000
  const kept = ({ epoch, key, renewedAt }: LeaseRow): Lease.Kept => ({
    fence: { lease: key, epoch },
    renewedAtMicros: renewedAt
  })

  it("a candidate sees which are taken: held by another, and not yet at their end", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(leases).given(leases, rows)
        const taken = database.ask(Lease.lookTaken(database.once, { keys: ["a", "b"], holder: me }))
        assert.deepStrictEqual(
          taken,
          rows.filter((row) => row.key !== "c" && isLive(row) && row.holder !== me)
        )
      })
    ))

  // covers A18
  it("who acquires gets what nobody has, what has come to its end and what is its own, each in a new epoch, and touches nothing else", () =>
    fc.assert(
      fc.property(stored, (rows) => {
        const database = new StillDatabase(leases).given(leases, rows)
        const won = ["a", "b"].flatMap((key) => {
          const before = rows.find((row) => row.key === key)
          if (before !== undefined && isLive(before) && before.holder !== me) return []
          const at = { acquiredAt: nowMicros, renewedAt: nowMicros, expiresAt, releasedAt: null }
          return [{ key, holder: me, epoch: (before?.epoch ?? 0) + 1, ...at }]
        })
        const answer = database.ask(Lease.acquire(database.once, { keys: ["b", "a"], holder: me, profile }))
        assert.deepStrictEqual(answer, won.map(kept))
        const left = rows.filter(({ key }) => won.every((row) => row.key !== key))
        assert.sameDeepMembers([...database.rows(leases)], [...left, ...won])
      })
    ))

  it("a renewal extends what is still held, in its very epoch, by the whole duration from now, and changes nothing else of it", () =>
    fc.assert(
      fc.property(stored, fences, (rows, held) => {
        const database = new StillDatabase(leases).given(leases, rows)
        const isHeld = (row: LeaseRow) =>
          row.holder === me && isLive(row) && held.some(({ epoch, lease }) => row.key === lease && row.epoch === epoch)
        const after = rows.map((row) => (isHeld(row) ? { ...row, renewedAt: nowMicros, expiresAt } : row))
        const answer = database.ask(Lease.renew(database.once, { held, holder: me, profile }))
        assert.deepStrictEqual(answer, after.filter((_, index) => isHeld(rows[index]!)).map(kept))
        assert.deepStrictEqual(database.rows(leases), after)
      })
    ))

  // covers A18
  it("a release ends the one lease at once, if it is still held in its epoch, and no other", () =>
    fc.assert(
      fc.property(stored, fc.constantFrom(1, 2), (rows, epoch) => {
        const database = new StillDatabase(leases).given(leases, rows)
        const isMine = (row: LeaseRow) => row.key === "a" && row.holder === me && row.epoch === epoch && isLive(row)
        const after = rows.map((row) => (isMine(row) ? { ...row, expiresAt: nowMicros, releasedAt: nowMicros } : row))
        const answer = database.ask(Lease.release(database.once, { fence: { lease: "a", epoch }, holder: me }))
        assert.deepStrictEqual(
          answer,
          after.filter((_, index) => isMine(rows[index]!))
        )
        assert.deepStrictEqual(database.rows(leases), after)
      })
    ))
})
