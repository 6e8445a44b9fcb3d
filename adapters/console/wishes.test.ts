import { assert, describe, it } from "@effect/vitest"
import { attemptsMax, meaningOf, messageOf } from "./wishes.ts"

const answer = (status: number, text = "", retryAfter: string | null = null) => ({ status, text, retryAfter })

describe("the answer to a wish", () => {
  it("that it is done ends it", () => {
    for (const status of [200, 201, 202]) assert.strictEqual(meaningOf(answer(status), 1)._tag, "Done")
  })

  it("that never came, or says later, has it sent again, as late as is asked for but not for ever", () => {
    assert.strictEqual(meaningOf(undefined, 1)._tag, "Again")
    assert.deepStrictEqual(meaningOf(answer(409, "{}", "3"), 1), { _tag: "Again", afterMillis: 3_000 })
    assert.deepStrictEqual(meaningOf(answer(429, "{}", "86400"), 1), { _tag: "Again", afterMillis: 10_000 })
    assert.deepStrictEqual(meaningOf(answer(503, "{}", "soon"), 1), { _tag: "Again", afterMillis: 500 })
    const last = meaningOf(undefined, attemptsMax)
    assert.deepStrictEqual(last, { _tag: "Refused", why: "the node does not answer; tried 8 times" })
  })

  it("that refuses it is told in its own words", () => {
    const conflict = answer(409, '{"_tag":"Conflict","detail":"specs never change"}')
    assert.deepStrictEqual(meaningOf(conflict, 1), { _tag: "Refused", why: "specs never change" })
    assert.strictEqual(
      messageOf(answer(403, '{"title":"Forbidden","detail":"scale is not yours"}')),
      "scale is not yours"
    )
    const bad =
      '{"detail":"two things","errors":[{"path":"payload.desired","message":"too many"},{"path":"a","message":"b"}]}'
    assert.strictEqual(messageOf(answer(400, bad)), "two things; payload.desired: too many; a: b")
    assert.strictEqual(messageOf(answer(502, "<html>")), "the answer was 502")
    assert.deepStrictEqual(meaningOf(answer(401, '{"title":"no key"}'), 1), { _tag: "SignIn", why: "no key" })
  })
})
