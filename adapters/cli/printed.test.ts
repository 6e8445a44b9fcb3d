import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { table } from "./remote/table.ts"
import { inLine } from "./printed.ts"

describe("what somebody else wrote", () => {
  it("has no control character where it is shown in a line, and is as it was without them", () =>
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        // oxlint-disable-next-line no-control-regex -- that is what is looked for
        assert.notMatch(inLine(text), /[\u0000-\u001f\u007f-\u009f]/)
        if (!/\p{Cc}/u.test(text)) assert.strictEqual(inLine(text), text)
      })
    ))

  it("forges no row of a table, and colours nothing", () =>
    assert.strictEqual(
      table(["name", "image"], [["web", "\u001b[31mred\nweb2  web:2"]]),
      "name  image\nweb   \\u001b[31mred\\u000aweb2  web:2"
    ))
})
