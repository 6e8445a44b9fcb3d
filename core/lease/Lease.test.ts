import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
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

  it("refuses a deadline that leaves no second attempt (R = 1.2 P)", () => {
    assert.deepStrictEqual(
      Lease.problems({ durationMillis: 2_000, renewDeadlineMillis: 1_200, retryPeriodMillis: 1_000 }),
      ["the renew deadline (1200 ms) must exceed 1.2 retry periods (1000 ms)"]
    )
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
