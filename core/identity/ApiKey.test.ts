import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { format, hashOf, isOf, parse } from "./ApiKey.ts"

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(..."0123456789abcdef"), { minLength: length, maxLength: length })
    .map((digits) => digits.join(""))
const token = fc.record({ id: hex(16), secret: hex(64) })

describe("the token of a key", () => {
  it("is read back as it was written", () =>
    fc.assert(fc.property(token, (token) => assert.deepStrictEqual(parse(format(token)), token))))

  it("is nothing else", () =>
    fc.assert(
      fc.property(fc.string(), (text) => assert.isUndefined(parse(text))),
      {
        examples: [
          [""],
          ["sg_"],
          [`sg_${"0".repeat(16)}_${"0".repeat(63)}`],
          [`sg_${"0".repeat(16)}_${"0".repeat(64)} `]
        ]
      }
    ))

  it("opens by its secret alone", () =>
    fc.assert(
      fc.property(token, hex(64), (token, other) => {
        assert.isTrue(isOf({ hash: hashOf(token.secret) }, token))
        assert.strictEqual(isOf({ hash: hashOf(other) }, token), other === token.secret)
      })
    ))

  it("has a hash that others compute alike (sha256sum)", () =>
    assert.strictEqual(hashOf("0".repeat(64)), "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55"))
})
