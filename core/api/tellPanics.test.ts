import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Facts from "../facts/Facts.ts"
import { tellPanics } from "./tellPanics.ts"

/** The status that the client is told, and what the node tells. */
const told = async (handler: Effect.Effect<HttpServerResponse.HttpServerResponse>) => {
  const facts: Array<Facts.DomainFact> = []
  const listening = <E, R>(handled: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.provideService(tellPanics(handled), Facts.Facts, (fact) => facts.push(fact))
  const answer = HttpEffect.toWebHandler(handler, listening)
  const { status } = await answer(new Request("http://n1:8081/v1/members?secret=1"))
  return { status, facts }
}

const panicked = (...errors: ReadonlyArray<string>) => [
  { _tag: "RequestPanicked", method: "GET", path: "/v1/members", errors }
]

describe("tellPanics", () => {
  it("tells of a defect, by what failed and not by the answer that was made of it", async () =>
    assert.deepStrictEqual(await told(Effect.die(new TypeError("bug"))), {
      status: 500,
      facts: panicked("TypeError: bug")
    }))

  it("tells of an answer 500 that nothing failed for", async () =>
    assert.deepStrictEqual(await told(Effect.succeed(HttpServerResponse.empty({ status: 500 }))), {
      status: 500,
      facts: panicked()
    }))

  it("says nothing of answers, refusals and requests that were interrupted", async () => {
    for (const status of [200, 404, 503]) {
      const answer = HttpServerResponse.empty({ status })
      assert.deepStrictEqual(await told(Effect.succeed(answer)), { status, facts: [] })
      assert.deepStrictEqual(await told(Effect.die(answer)), { status, facts: [] })
    }
    assert.deepStrictEqual(await told(Effect.interrupt), { status: 503, facts: [] })
  })
})
