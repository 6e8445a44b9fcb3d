import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { nearest } from "../../sim/nemesis/nearest.ts"
import { parseSeed, parseSeeds } from "./Usage.ts"

describe("wrong usage", () => {
  it.each([
    ["everythin", "everything"],
    ["no-fense", "no-fence"],
    ["killed", "lease/leader-killed"]
  ])("%s was probably %s", (name, expected) => {
    assert.strictEqual(nearest(name, ["calm", "everything", "no-fence", "lease/leader-killed"]), expected)
  })

  it("nothing is suggested for what is near to nothing", () => {
    assert.isUndefined(nearest("zzzzzzzz", ["calm", "everything"]))
  })

  it("a number is so many seeds from 1; a range has both its ends", () => {
    assert.deepStrictEqual(parseSeeds("3"), ["1", "2", "3"])
    fc.assert(
      fc.property(fc.nat({ max: 1_000 }), fc.nat({ max: 50 }), (first, more) => {
        const seeds = parseSeeds(`${first}..${first + more}`)
        assert.lengthOf(seeds, more + 1)
        assert.deepStrictEqual([seeds[0], seeds.at(-1)], [String(first), String(first + more)])
      })
    )
  })

  it.each([
    "0",
    "9..3",
    "x",
    "1..",
    "-4",
    "1..99999999999",
    "99999999999999999999",
    "9007199254740993..9007199254740995"
  ])("--seeds %s is refused", (text) => {
    assert.throws(() => parseSeeds(text), /--seeds/)
  })

  it.each(["7", "a1b2", "0007", "2026-11-21", "v1.2:3"])("%s is a seed", (text) => {
    assert.strictEqual(parseSeed("--seed", text), text)
  })

  it.each(["", "-5", "+5", "two words", "$(x)"])('"%s" is none', (text) => {
    assert.throws(() => parseSeed("--seed", text), /--seed/)
  })
})
