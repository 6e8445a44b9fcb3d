import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { encode, type Frame, type WatchEvent } from "../../core/watch/WatchFrame.ts"
import { read } from "./serverSentEvents.ts"
import { cutOff, expired, nothing, step, type Watched } from "./tables.ts"

const fleet = (id: string, desired: number, type: WatchEvent["type"] = "modified"): WatchEvent => ({
  type,
  kind: "fleet",
  id,
  project: "p",
  document: { id, desired }
})
const changes = (events: ReadonlyArray<WatchEvent>, isComplete: boolean, token?: string): Frame => ({
  _tag: "Changes",
  changes: { events, isComplete },
  token
})

/** As the stream tells them, at 1, 2, 3, … ms. */
const told = (frames: ReadonlyArray<Frame>, from: Watched = nothing): Watched =>
  read("", frames.map((frame) => encode(frame)).join("")).events.reduce(
    (watched, event, index) => step(watched, event, index + 1) ?? assert.fail("garbled"),
    from
  )
const shown = ({ shown }: Watched) =>
  shown === undefined
    ? undefined
    : Object.fromEntries([...shown.fleet].map(([id, { document }]) => [id, document.desired]))

describe("what a stream has told", () => {
  const listing: ReadonlyArray<Frame> = [
    { _tag: "Reset" },
    changes([fleet("p/a", 1), fleet("p/b", 2)], false),
    changes([fleet("p/c", 3)], true, "t1")
  ]

  it("is shown when a listing is complete, and not before", () => {
    assert.isUndefined(shown(told(listing.slice(0, 2))))
    assert.deepStrictEqual(shown(told(listing)), { "p/a": 1, "p/b": 2, "p/c": 3 })
    assert.strictEqual(told(listing).token, "t1")
  })

  it("is shown as of whole transactions", () => {
    const half = told([changes([fleet("p/a", 9)], false, "t2")], told(listing))
    assert.deepStrictEqual([shown(half)!["p/a"], half.token], [1, "t2"])
    const whole = told([changes([fleet("p/b", 9, "deleted")], true, "t3")], cutOff(half))
    assert.deepStrictEqual(shown(whole), { "p/a": 9, "p/c": 3 }, "a stream that was cut there goes on there")
  })

  it("stays while a new listing is told, and is replaced by it at once", () => {
    const again = told([{ _tag: "Reset" }, changes([fleet("p/a", 5)], false)], expired(told(listing)))
    assert.deepStrictEqual([shown(again), again.token], [{ "p/a": 1, "p/b": 2, "p/c": 3 }, undefined])
    assert.deepStrictEqual(shown(told([changes([], true, "t9")], again)), { "p/a": 5 })
    assert.isUndefined(cutOff(again).aside, "half a listing is void")
  })

  it("says since when, unless it was there before", () => {
    const { shown } = told([changes([fleet("p/a", 9)], true, "t2")], told(listing))
    assert.deepStrictEqual(
      ["p/a", "p/b"].map((id) => shown!.fleet.get(id)!.sinceMillis),
      [1, undefined]
    )
  })

  it("is logged from the listing on, as of whole transactions, and begun anew with the next listing", () => {
    const named = (name: string, type: WatchEvent["type"] = "added"): WatchEvent => ({
      type,
      kind: "instance",
      id: name,
      project: "p",
      document: { uid: name, name, fleet: "p/a", state: "PENDING", reason: null, deletionRequestedAt: null }
    })
    const whats = ({ log }: Watched) => log.changes.map(({ name, what }) => `${name} ${what}`)
    const listed = told([changes([named("a-0")], true, "t2")], told([{ _tag: "Reset" }]))
    assert.deepStrictEqual(whats(listed), [])
    const half = told([changes([named("a-1")], false, "t3")], listed)
    assert.deepStrictEqual(whats(half), [])
    const whole = told([changes([named("a-0", "deleted")], true, "t4")], cutOff(half))
    assert.deepStrictEqual(whats(whole), ["a-1 created", "a-0 deleted"])
    assert.deepStrictEqual(whats(told([{ _tag: "Reset" }, changes([], true, "t5")], whole)), [])
  })

  it("passes over kinds and events that it does not know, and refuses what it cannot read", () => {
    const strange = { event: "changes", id: "t2", data: '{"events":[{"kind":"moon","id":"m"}],"isComplete":true}' }
    assert.deepStrictEqual(shown(step(told(listing), strange, 1)!), shown(told(listing)))
    assert.strictEqual(step(nothing, { event: "more", id: "x", data: "" }, 1), nothing)
    for (const data of ["{", "null", "{}", '{"events":1,"isComplete":true}']) {
      assert.isUndefined(step(nothing, { event: "changes", id: "t", data }, 1), data)
    }
  })

  it("is the same wherever its stream is cut and goes on from its token", () => {
    const event = fc.tuple(fc.constantFrom("p/a", "p/b", "p/c"), fc.nat(9), fc.boolean())
    const commits = fc.array(fc.tuple(fc.array(event, { maxLength: 3 }), fc.boolean()), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(commits, fc.array(fc.nat(11), { maxLength: 4 }), (commits, cuts) => {
        const frames = commits.map(([events, isComplete], index) =>
          changes(
            events.map(([id, desired, isGone]) => fleet(id, desired, isGone ? "deleted" : "modified")),
            isComplete || index === commits.length - 1,
            `t${index}`
          )
        )
        const straight = told(frames, told(listing))
        const resumed = frames.reduce((watched, frame, index) => {
          const next = told([frame], watched)
          return cuts.includes(index) ? cutOff(next) : next
        }, told(listing))
        assert.deepStrictEqual([shown(resumed), resumed.token], [shown(straight), straight.token])
      })
    )
  })
})
