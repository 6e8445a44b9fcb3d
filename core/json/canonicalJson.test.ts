import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { canonicalJson } from "./canonicalJson.ts"

describe("canonicalJson", () => {
  it("orders the keys of nested objects and keeps the order of lists", () =>
    assert.strictEqual(canonicalJson({ b: [{ y: 1, x: 2 }, 3], a: null }), '{"a":null,"b":[{"x":2,"y":1},3]}'))

  it("is the same for the same document, in whatever order its members were written", () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (document) => {
        const reversed = Object.fromEntries(Object.entries(document).toReversed())
        assert.strictEqual(canonicalJson(reversed), canonicalJson(document))
      })
    ))

  it("loses nothing", () =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.strictEqual(canonicalJson(JSON.parse(canonicalJson(value))), canonicalJson(value))
        assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)))
      })
    ))

  it("has a text also for what JSON has none for", () => assert.strictEqual(canonicalJson(undefined), "null"))
})
