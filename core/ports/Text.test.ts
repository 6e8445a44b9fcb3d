/** What becomes of text that others wrote, before it is kept or shown. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { Line, lineOf } from "./Text.ts"

const isLine = Schema.is(Line)
/** Halves of characters as well, and of what acts on terminals as much as of the rest. */
const unit = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.integer({ min: 0, max: 0x7f }),
  fc.constantFrom(0x202e, 0x2028, 0xd83d)
)

describe("a line of a text", () => {
  it("shows what it holds, is not longer than asked for, and is one, whatever the text", () =>
    fc.assert(
      fc.property(fc.array(unit), fc.integer({ min: 2, max: 40 }), (units, charsMax) => {
        const text = String.fromCharCode(...units)
        const line = lineOf(text, charsMax)
        assert.strictEqual(line === undefined, text.trim() === "")
        assert.isTrue(line === undefined || (isLine(line) && line.length <= charsMax), line)
      })
    ))

  it("is the text where that is a line, and else has the numbers of what does not show, and its beginning", () => {
    const half = String.fromCharCode(0xd83d)
    assert.strictEqual(lineOf("  out of memory: 😀\n", 20), "out of memory: 😀")
    assert.strictEqual(lineOf("one\ntwo\u0000\u202e", 40), String.raw`one\ntwo\u{0}\u{202e}`)
    assert.strictEqual(lineOf(`lone ${half} half`, 40), "lone \uFFFD half")
    assert.strictEqual(lineOf("0123456789", 10), "0123456789")
    assert.strictEqual(lineOf("0123456789a", 10), "012345678…")
    assert.strictEqual(lineOf("01234567😀9a", 10), "01234567…")
  })
})
