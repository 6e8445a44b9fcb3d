import { assert, describe, it } from "@effect/vitest"
import { fleetRow, instanceRow } from "../invariants/Story.fixture.ts"
import { send } from "./Sending.fixture.ts"
import { holds, isKnown, ofFleet, ofInstance, parse } from "./etag.ts"
import { fleetView, instanceView } from "./Views.ts"

const status = {
  id: "p/web",
  observedGeneration: 1,
  live: 1,
  running: 0,
  error: 0,
  deleting: 0,
  parked: 0,
  ready: "False",
  readyChangedAt: 9,
  updatedAt: 9
} as const

describe("a tag", () => {
  it("is another for each document, and of another version only when somebody has changed what is wanted", () => {
    const tags = [
      ofFleet(fleetView(fleetRow(), undefined)),
      ofFleet(fleetView(fleetRow(), status)),
      ofFleet(fleetView(fleetRow(), { ...status, running: 1 })),
      ofFleet(fleetView(fleetRow({ generation: 2 }), status)),
      ofFleet(fleetView(fleetRow({ createdAt: 5 }), status))
    ]
    assert.strictEqual(new Set(tags).size, tags.length)
    const [first, counted, ran, changed, another] = tags as [string, string, string, string, string]
    assert.isTrue(holds([first], counted) && holds([first], ran))
    assert.isFalse(holds([first], changed) || holds([first], another))
    assert.isFalse(isKnown([first], counted))
  })

  it("of an instance stands for its revision, and changes with each heartbeat", () => {
    const [one, heard, moved] = [{}, { lastHeartbeatAt: 7 }, { revision: 9 }].map((changes) =>
      ofInstance(instanceView(instanceRow("a", changes)))
    ) as [string, string, string]
    assert.isTrue(holds([one], heard))
    assert.isFalse(isKnown([one], heard) || holds([one], moved))
  })

  it("that is asked for may be one of several, any, weak or none", () => {
    assert.deepStrictEqual(parse(' "1.a" , W/"2.b"'), ['"1.a"', 'W/"2.b"'])
    assert.strictEqual(parse("*"), "*")
    for (const none of ["", "1.a", '"1.a', '"1.a" "2.b"', '"a b"', "W/*"]) assert.isUndefined(parse(none), none)
    assert.isTrue(isKnown(['W/"1.a"'], '"1.a"'))
    assert.isFalse(holds(['W/"1.a"'], '"1.a"'), "what is weak is not sure enough to change anything by")
    assert.isFalse(holds("*", undefined), "there is nothing")
  })
})

describe("a condition", () => {
  it("that cannot be read is refused, and one that nothing meets is refused as that", async () => {
    const body = JSON.stringify({ desired: 1, spec: { image: "a", size: "small" } })
    const put = async (headers: object) => (await send("PUT", "projects/p/fleets/f", { body, headers })).status
    assert.strictEqual(await put({ "if-match": "1.a" }), 400)
    assert.strictEqual(await put({ "if-none-match": '"1.a"' }), 400)
  })
})
