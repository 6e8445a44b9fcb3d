import { assert, describe, it } from "@effect/vitest"
import { instances } from "../instance/Instance.ts"
import type { WatchDelivered, WatchReset } from "../watch/WatchFacts.ts"
import { change, commit, envelopes, instanceRow, type Line, told } from "./Story.fixture.ts"
import { behind, watchDelivery } from "./watchDelivery.ts"

const states = [1, 2, 3].map((revision) => instanceRow("a", { revision }))
const [first, second, third] = states as [(typeof states)[0], (typeof states)[0], (typeof states)[0]]
const wrote = (seconds: number, before: typeof first | null, after: typeof first | null): Line => [
  seconds,
  "database",
  commit("write", [change(instances, "a", before, after)])
]
const born = wrote(1, null, first)
const moved = wrote(2, first, second)
const movedAgain = wrote(3, second, third)
const left = wrote(4, third, null)

type Told = WatchDelivered["events"][number]
const event = (type: Told["type"], revision: number): Told => ({
  type,
  kind: "instance",
  id: "a",
  version: `${revision}`
})
const hears = (seconds: number, ...events: ReadonlyArray<Told>): Line => [
  seconds,
  "w1",
  { _tag: "WatchDelivered", events, isComplete: true } as WatchDelivered
]
const reset = (seconds: number): Line => [seconds, "w1", { _tag: "WatchReset" } satisfies WatchReset]

describe("watch-delivery", () => {
  it("holds for a listing, what follows it, and a second listing that leaps forward", () => {
    const story = [reset(0), hears(0), born, hears(1, event("added", 1)), moved, hears(2, event("modified", 2))]
    assert.strictEqual(told(watchDelivery, ...story), "holds")
    const leap = [reset(0), born, hears(1, event("added", 1)), moved, movedAgain, reset(3), hears(3, event("added", 3))]
    assert.strictEqual(told(watchDelivery, ...leap), "holds")
    assert.strictEqual(told(watchDelivery, ...leap, left, reset(5), hears(5)), "holds")
  })

  it("sees what is left out, told twice, told before, and made up", () => {
    const listed = [reset(0), hears(0), born, hears(1, event("added", 1)), moved, movedAgain]
    assert.match(told(watchDelivery, ...listed, hears(3, event("modified", 3))), /before the one that comes first/)
    assert.match(told(watchDelivery, ...listed, hears(3, event("modified", 1))), /a state again/)
    assert.match(told(watchDelivery, ...listed, hears(3, event("deleted", 3))), /never was/)
  })

  it("sees a listing that leads back, and one that leaves out what is there", () => {
    const known = [reset(0), hears(0), born, hears(1, event("added", 1)), moved, hears(2, event("modified", 2))]
    assert.match(told(watchDelivery, ...known, reset(3), hears(3, event("added", 1))), /led a watcher back/)
    assert.match(told(watchDelivery, ...known, reset(3), hears(3)), /left out instance a/)
  })

  it("forgives what came and went before a listing, and says what a watcher still misses", () => {
    const after = (...lines: ReadonlyArray<Line>) => {
      let state = watchDelivery.initial()
      for (const envelope of envelopes(lines)) state = watchDelivery.step(state, envelope) as typeof state
      return behind(state, ["w1"])
    }
    assert.strictEqual(after(), "w1 has not been told anything")
    assert.strictEqual(after(born, moved, movedAgain, left, reset(5), hears(5)), undefined)
    assert.strictEqual(after(reset(0), hears(0), born), "w1 has not been told of instance a that it is 1")
    assert.strictEqual(
      after(reset(0), hears(0), born, moved, movedAgain, left),
      "w1 has not been told of instance a that it is -"
    )
  })
})
