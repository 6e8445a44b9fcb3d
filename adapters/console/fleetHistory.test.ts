import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import {
  chartOf,
  record,
  samplesMax,
  unstableFor,
  unstableSinceMillis,
  windowMillis,
  type FleetHistory
} from "./fleetHistory.ts"

const row = (desired: number, running: number, id = "p/web") => ({
  id,
  desired,
  status: { observedGeneration: 1, live: desired, running, error: 0, deleting: 0, parked: 0 },
  why: desired === running ? undefined : "so many to start"
})
const moment = (nowMillis: number) => ({ nowMillis, untilMillis: nowMillis })
const size = { width: 100, height: 50 }

describe("the history of a fleet", () => {
  it("keeps each change once, and of the past what still held when the window began", () => {
    let history: FleetHistory = new Map()
    for (const at of [0, 1_000, 2_000]) history = record(history, [row(3, 3)], at)
    assert.lengthOf(history.get("p/web")!, 1)
    history = record(history, [row(10, 3)], 10_000)
    history = record(history, [row(10, 10)], 20_000)
    assert.deepStrictEqual(
      record(history, [row(10, 10)], 15_000 + windowMillis)
        .get("p/web")!
        .map(({ atMillis }) => atMillis),
      [10_000, 20_000]
    )
    assert.deepStrictEqual([...record(history, [row(1, 1, "p/other")], 21_000).keys()], ["p/other"])
  })

  it("says since when it has not been as it is wanted", () => {
    let history: FleetHistory = new Map()
    const said: Array<number | undefined> = []
    for (const [at, running] of [0, 3, 1, 2, 3].entries()) {
      history = record(history, [row(3, running)], at)
      said.push(unstableSinceMillis(history.get("p/web")!))
    }
    assert.deepStrictEqual(said, [0, undefined, 2, 2, undefined])
    assert.isUndefined(unstableSinceMillis([]))
  })

  it("claims no more of what was so from the first look on than that it was seen so for so long", () => {
    const samples = record(new Map(), [row(3, 1)], 1_000).get("p/web")!
    assert.strictEqual(unstableFor(samples, 4_000, false), "3 s or more")
    assert.strictEqual(unstableFor(samples, 4_000, true), "3 s")
    assert.isUndefined(unstableFor([], 4_000, false))
  })

  it("is drawn at once, from edge to edge, as what is seen for the first time", () => {
    const samples = record(new Map(), [row(4, 2)], 7_000).get("p/web")!
    const drawn = { desired: "M0 0H100", running: "M0 25H100", area: "M0 25H100V50H0Z", spanMillis: 0 }
    assert.deepInclude(chartOf(samples, moment(7_000), size), drawn)
  })

  it("is drawn in steps up to now", () => {
    let history: FleetHistory = new Map()
    for (const [at, desired, running] of [
      [0, 5, 5],
      [15_000, 10, 5],
      [30_000, 10, 10]
    ] as const)
      history = record(history, [row(desired, running)], at)
    const drawn = { desired: "M0 25H50V0H100V0H100", running: "M0 25H50V25H100V0H100", max: 10, spanMillis: 30_000 }
    assert.deepInclude(chartOf(history.get("p/web")!, moment(30_000), size), drawn)
    assert.match(
      chartOf(history.get("p/web")!, { nowMillis: 60_000, untilMillis: 45_000 }, size).running,
      /H75$/,
      "no more than was heard"
    )
    assert.deepInclude(chartOf([], moment(0), size), { desired: "", running: "", area: "", max: 1 })
  })

  it("stays bounded and inside its frame, whatever happens", () => {
    const moments = fc.array(fc.tuple(fc.nat(20_000), fc.nat(1_000), fc.nat(1_000)), { minLength: 1, maxLength: 900 })
    fc.assert(
      fc.property(moments, (moments) => {
        let history: FleetHistory = new Map()
        let at = 0
        for (const [pause, desired, running] of moments)
          history = record(history, [row(desired, running)], (at += pause))
        const samples = history.get("p/web")!
        assert.isAtMost(samples.length, samplesMax)
        assert.deepInclude(samples.at(-1), { desired: moments.at(-1)![1], running: moments.at(-1)![2] })
        const { area, desired, running } = chartOf(samples, moment(at), size)
        const numbers = `${area} ${desired} ${running}`.match(/[\d.-]+/g)!.map(Number)
        assert.isTrue(numbers.every((each) => each >= 0 && each <= 100))
      }),
      { numRuns: 30 }
    )
  })
})
