/** Whoever is refused is told so by a problem document, with the status that fits, wherever it is noticed. */
import { assert, describe, it } from "@effect/vitest"
import { httpBodyBytesMax } from "../Limits.ts"
import { send } from "./Sending.fixture.ts"

interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly _tag: string
  readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>
  readonly allowed?: ReadonlyArray<string>
}

const refused = async (...asked: Parameters<typeof send>) => {
  const { headers, status, text } = await send(...asked)
  const problem = JSON.parse(text) as Problem
  assert.match(headers.get("content-type") ?? "", /^application\/problem\+json/)
  assert.strictEqual(problem.status, status)
  assert.match(problem.type, /^urn:stormglass:problem:/)
  assert.isNotEmpty(problem.title)
  assert.isNotEmpty(problem.detail)
  return { problem, headers }
}

describe("a refusal", () => {
  it("names all that is wrong with a body at once, field by field", async () => {
    const body = JSON.stringify({ desired: -1, spec: { image: "a", size: "huge" }, colour: "red" })
    const { problem } = await refused("PUT", "projects/p/fleets/f", { body })
    assert.strictEqual(problem._tag, "BadRequest")
    assert.deepStrictEqual(problem.errors?.map(({ path }) => path).toSorted(), [
      "payload.colour",
      "payload.desired",
      "payload.spec.size"
    ])
    assert.match(problem.detail, /^payload\.\S+: .* \(and 2 more\)$/)
  })

  it("keeps within bounds whatever is wrong", async () => {
    const uids = Array.from({ length: 500 }, () => "\u0000")
    const { problem } = await refused("POST", "agents/a/heartbeats", { body: JSON.stringify({ incarnation: 1, uids }) })
    assert.isAtMost(problem.errors!.length, 100)
    assert.match(problem.detail, /\(and 499 more\)$/)
  })

  it("is 404 where there is nothing, and 405 with what is there where that is something else", async () => {
    assert.strictEqual((await refused("GET", "nothing")).problem._tag, "NotFound")
    const { headers, problem } = await refused("PATCH", "projects/p/fleets/f")
    assert.deepStrictEqual(
      { tag: problem._tag, allowed: problem.allowed },
      { tag: "MethodNotAllowed", allowed: ["GET", "PUT", "DELETE"] }
    )
    assert.strictEqual(headers.get("allow"), "GET, PUT, DELETE")
  })

  it("of an endpoint's own is one too", async () => {
    const { problem } = await refused("GET", "instances/a")
    assert.deepStrictEqual(
      { tag: problem._tag, detail: problem.detail },
      { tag: "NotFound", detail: "there is no instance a" }
    )
  })

  it("is 415 for a body of another type", async () => {
    const headers = { "content-type": "text/csv" }
    assert.strictEqual((await refused("PUT", "projects/p/fleets/f", { body: "a", headers })).problem.status, 415)
  })

  it("is 413 for a body that is too large, and says what is allowed", async () => {
    const body = JSON.stringify({ padding: "x".repeat(httpBodyBytesMax) })
    const { problem } = await refused("PUT", "projects/p/fleets/f", { body })
    assert.deepStrictEqual({ status: problem.status, tag: problem._tag }, { status: 413, tag: "PayloadTooLarge" })
    assert.include(problem.detail, String(httpBodyBytesMax))
  })

  it("is 400 for text that is no UTF-8", async () => {
    const text = new TextEncoder().encode('{"desired":1,"spec":{"image":"?","size":"small"}}')
    const body = text.map((byte) => (byte === "?".charCodeAt(0) ? 0xff : byte))
    const { problem } = await refused("PUT", "projects/p/fleets/f", { body })
    assert.deepStrictEqual(
      { status: problem.status, detail: problem.detail },
      { status: 400, detail: "payload: no UTF-8" }
    )
  })

  it("is 400 for a query that nobody reads, and for a key that is sent twice", async () => {
    assert.match((await refused("GET", "keys?colour=red")).problem.detail, /^query: /)
    assert.match((await refused("GET", "members?colour=red")).problem.detail, /^query.colour: /)
    const headers = { "x-idempotency-key": "a, b" }
    const { problem } = await refused("DELETE", "instances/a", { headers })
    assert.match(problem.detail, /two headers of one name/)
  })
})
