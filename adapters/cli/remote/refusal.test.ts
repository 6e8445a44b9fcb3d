/** What a control plane refuses, as who typed the command is told it, and as a script can tell it from the rest. */
import * as Effect from "effect/Effect"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import {
  BadRequest,
  Conflict,
  Forbidden,
  InProgress,
  Misdirected,
  NotFound,
  Panicked,
  QuotaExceeded,
  TooManyRequests,
  Unauthenticated,
  Unavailable
} from "../../../core/api/ApiErrors.ts"
import { refused } from "../../../core/api/problems.ts"
import { NoAnswer } from "../../../core/client/Client.ts"
import { exitCodeOf } from "../exitCodes.ts"
import { answered, type Failure, isPassing, read, refusalOf } from "./refusal.ts"

const addresses = ["http://n1:8081", "http://n2:8081"]
const ended = (failure: Failure, keyOrigin?: string) => {
  const { ending, problems } = refusalOf({ addresses, keyOrigin }, failure)
  return [exitCodeOf(ending), ...problems]
}

const detail = "so it is"
const quota = { resource: "fleets", used: 1, requested: 1, allowed: 1 } as const

// covers A29
describe("a command that is not served ends with a code that says why", () => {
  it.each([
    [5, new BadRequest({ detail })],
    [5, new Forbidden({ detail })],
    [5, new QuotaExceeded({ detail, ...quota })],
    [5, new Conflict({ detail })],
    [6, new NotFound({ detail })],
    [7, new InProgress({ detail })],
    [7, new TooManyRequests({ detail })],
    [7, new Panicked({ detail })],
    [7, new Unavailable({ detail })]
  ])("%i and what was said, also where the client knows the refusal by its text alone", (code, failure) => {
    assert.deepStrictEqual(ended(failure), [code, detail])
    const { body, status } = refused(failure)
    assert.deepStrictEqual(ended(answered(status, body)), [code, detail])
  })

  it("7 where nobody answers, and says where that was tried", () => {
    assert.deepStrictEqual(ended(new NoAnswer()), [
      7,
      "http://n1:8081, http://n2:8081: no answer; is `stormglass serve` running there? (--server, STORMGLASS_SERVER)"
    ])
  })

  it("7 at a node that serves no API, and what to ask instead", () => {
    const { body, status } = refused(new Misdirected({ detail: "n2 serves no API: its role is worker" }))
    assert.deepStrictEqual(ended(answered(status, body)), [
      7,
      "http://n1:8081, http://n2:8081: n2 serves no API: its role is worker"
    ])
  })

  it("5 for a key that is not known, and where it came from", () => {
    const failure = new Unauthenticated({ detail: "no key" })
    assert.deepStrictEqual(ended(failure), [5, "no key (none was sent: STORMGLASS_KEY, or `stormglass login`)"])
    assert.deepStrictEqual(ended(failure, "data/key"), [5, "no key (from data/key)"])
  })

  it("and with a line for each field that is wrong", () => {
    const errors = [
      { path: "payload.desired", message: "is missing" },
      { path: "payload.spec.size", message: 'Expected "small"' }
    ]
    assert.deepStrictEqual(ended(new BadRequest({ detail: "payload.desired: is missing (and 1 more)", errors })), [
      5,
      "payload.desired: is missing",
      'payload.spec.size: Expected "small"'
    ])
  })

  it("after some tries, while another does it, nobody can, or a node starts", () => {
    const request = HttpClientRequest.get("http://n1:8081")
    const early = (status: number) =>
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.StatusCodeError({
          request,
          response: HttpClientResponse.fromWeb(request, new Response(null, { status }))
        })
      })
    for (const passing of [new InProgress({ detail }), new Unavailable({ detail }), early(503)]) {
      assert.isTrue(isPassing(passing), passing._tag)
    }
    for (const lasting of [new NoAnswer(), new NotFound({ detail }), new Panicked({ detail }), early(502)]) {
      assert.isFalse(isPassing(lasting), lasting._tag)
    }
  })

  it("and with what is known of an answer that is no control plane's", () => {
    assert.deepStrictEqual(ended(answered(503, "")), [
      7,
      "http://n1:8081, http://n2:8081: it does not serve yet, or a proxy before it has nobody to ask"
    ])
    assert.deepStrictEqual(ended(answered(404, "<html>")), [
      6,
      "http://n1:8081, http://n2:8081: status 404, and not as a control plane answers"
    ])
  })

  it("and in words, also where an answer is not what this version knows", async () => {
    const decoded = await Effect.runPromise(
      Schema.decodeUnknownEffect(Schema.Struct({ desired: Schema.Int }))({}).pipe(Effect.flip, Effect.flatMap(read))
    )
    assert.deepStrictEqual(ended(decoded), [
      5,
      "what was said is not what this version of stormglass knows: desired: is missing"
    ])
  })
})
