import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { fieldProblems, problemLine, problemsText } from "./fieldProblems.ts"

const Wanted = Schema.Struct({
  name: Schema.String.check(Schema.isPattern(/^[a-z]+$/, { expected: "lower case letters" })),
  spec: Schema.Struct({ size: Schema.Literals(["small", "large"]), ports: Schema.Array(Schema.Int) })
})
const decode = Schema.decodeUnknownResult(Wanted)

const linesOf = (document: unknown) => {
  const decoded = decode(document, { errors: "all", onExcessProperty: "error" })
  return Result.isFailure(decoded) ? fieldProblems(decoded.failure).map(problemLine) : []
}

describe("what is wrong with a document", () => {
  it("is said of each field by its path, in words that need no knowledge of schemas", () => {
    assert.sameMembers(linesOf({ name: "UP", spec: { size: "huge", ports: [1, "x"] }, more: 1 }), [
      "name: Expected lower case letters",
      'spec.size: Expected "small" | "large"',
      "spec.ports.1: Expected number",
      "more: there is no such field"
    ])
    assert.deepStrictEqual(linesOf({ name: "up" }), ["spec: is missing"])
    assert.deepStrictEqual(linesOf({ name: "up", spec: { size: "small", ports: [] } }), [])
  })

  it("has no path where the whole document is wrong", () => assert.deepStrictEqual(linesOf(7), ["Expected object"]))

  it("of another error than a schema's is what that says", () => {
    assert.strictEqual(problemsText(new Error("cut off")), "cut off")
  })
})
