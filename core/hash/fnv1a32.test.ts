import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { fnv1a32 } from "./fnv1a32.ts"

describe("fnv1a32", () => {
  // covers A23
  it("gives the numbers of Go's hash/fnv New32a", () => {
    assert.strictEqual(fnv1a32(""), 0x811c9dc5)
    assert.strictEqual(fnv1a32("a"), 0xe40c292c)
    assert.strictEqual(fnv1a32("ab"), 0x4d2505ca)
    assert.strictEqual(fnv1a32("abc"), 0x1a47e90b)
  })

  it("hashes the bytes of UTF-8, whatever the text", () =>
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        let expected = 0x811c9dc5
        for (const byte of new TextEncoder().encode(text)) expected = Math.imul(expected ^ byte, 0x01000193)
        assert.strictEqual(fnv1a32(text), expected >>> 0)
      })
    ))

  it("hashes the bytes of the first and the last character of each length in UTF-8", () => {
    for (const code of [
      0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x3ffff, 0x40000, 0xfffff, 0x10ffff
    ]) {
      const text = String.fromCodePoint(code)
      let expected = 0x811c9dc5
      for (const byte of new TextEncoder().encode(text)) expected = Math.imul(expected ^ byte, 0x01000193)
      assert.strictEqual(fnv1a32(text), expected >>> 0, code.toString(16))
    }
  })
})
