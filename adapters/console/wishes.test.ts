import { assert, describe, it } from "@effect/vitest"
import { attemptsMax, type Meaning, meaningOf, messageOf } from "./wishes.ts"

const answer = (status: number, text = "", retryAfter: string | null = null) => ({ status, text, retryAfter })

describe("the answer to a wish", () => {
  it("that it is done ends it", () => {
    for (const status of [200, 201, 202]) assert.strictEqual(meaningOf(answer(status), 1)._tag, "Done")
  })

  it("that never came, or says later, has it sent again, as late as is asked for but not for ever", () => {
    assert.strictEqual(meaningOf(undefined, 1)._tag, "Again")
    assert.deepInclude(meaningOf(answer(409, "{}", "3"), 1), { _tag: "Again", afterMillis: 3_000 })
    const many: Meaning = { _tag: "Again", afterMillis: 10_000, why: "the share of requests is used" }
    assert.deepStrictEqual(meaningOf(answer(429, '{"detail":"the share of requests is used"}', "86400"), 1), many)
    assert.deepInclude(meaningOf(answer(503, "{}", "soon"), 1), { _tag: "Again", afterMillis: 500 })
    const pauses = Array.from({ length: attemptsMax - 1 }, (_, nth) => meaningOf(undefined, nth + 1))
    assert.deepStrictEqual(
      pauses.map((each) => each._tag === "Again" && each.afterMillis),
      [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]
    )
    const last = meaningOf(undefined, attemptsMax)
    assert.deepStrictEqual(last, { _tag: "Unknown", why: "the node does not answer; tried 8 times" })
  })

  it("that refuses it is told in its own words", () => {
    const refused = { _tag: "Refused", fields: {} } as const
    const conflict = answer(409, '{"_tag":"Conflict","detail":"specs never change"}')
    assert.deepStrictEqual(meaningOf(conflict, 1), { ...refused, status: 409, why: "specs never change" })
    assert.strictEqual(
      messageOf(answer(403, '{"title":"Forbidden","detail":"scale is not yours"}')),
      "scale is not yours"
    )
    assert.strictEqual(messageOf(answer(502, "<html>")), "the answer was 502")
    assert.deepStrictEqual(meaningOf(answer(401, '{"title":"no key"}'), 1), { _tag: "SignIn", why: "no key" })
    const stale = meaningOf(answer(412, '{"detail":"it is at \\"k-3.1\\" by now"}'), 1)
    assert.deepInclude(stale, { status: 412, why: "it was changed meanwhile: look at it, and send this again" })
  })

  it("that finds several faults has each by its field", () => {
    const bad = `{"detail":"payload.desired: too many (and 1 more)","errors":[
      {"path":"payload.desired","message":"too many"},{"path":"payload.spec.image","message":"empty"}]}`
    assert.deepStrictEqual(meaningOf(answer(400, bad), 1), {
      _tag: "Refused",
      status: 400,
      why: "desired: too many; spec.image: empty",
      fields: { desired: "too many", image: "empty" }
    })
  })
})
