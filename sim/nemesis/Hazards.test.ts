import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { FactStream } from "../kernel/FactStream.ts"
import { type Hazard, Hazards } from "./Hazards.ts"

const hazard = (options: Partial<Hazard> = {}): Hazard => ({
  entry: 0,
  covers: () => true,
  rate: 0.3,
  struck: undefined,
  parameters: {},
  ...options
})

const make = () => new Hazards(new FactStream({ nowMicros: 0 }), 42)

/** Which of the first 200 occurrences of each subject are struck, asked in the order given. */
const struckOf = (hazards: Hazards, subjects: ReadonlyArray<string>) =>
  subjects.flatMap((subject) =>
    Array.from({ length: 200 }, (_, nth) => nth).filter(
      (nth) => hazards.hit("network/loss", subject, nth) !== undefined
    )
  )

describe("Hazards", () => {
  it("nothing strikes unless a hazard is in force, and none after it ended", () => {
    const hazards = make()
    assert.deepStrictEqual(struckOf(hazards, ["a>b"]), [])
    const end = hazards.add("network/loss", hazard({ rate: 1 }))
    assert.lengthOf(struckOf(hazards, ["a>b"]), 200)
    end()
    assert.deepStrictEqual(struckOf(hazards, ["a>b"]), [])
    assert.isFalse(hazards.isActive("network/loss"))
  })

  it("what strikes one subject does not depend on what else was asked, or which other kinds are in force", () => {
    const alone = make()
    alone.add("network/loss", hazard())
    const expected = struckOf(alone, ["a>b"])
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 5 }), fc.boolean(), (others, isCrowded) => {
        const crowded = make()
        crowded.add("network/loss", hazard())
        if (isCrowded) crowded.add("network/reset", hazard({ rate: 1 }))
        struckOf(crowded, others)
        for (const other of others) crowded.hit("network/reset", other, 1)
        assert.deepStrictEqual(struckOf(crowded, ["a>b"]), expected)
      })
    )
  })

  it("the occurrences that a rate struck, given back as a list, strike again and no others do", () => {
    const first = make()
    first.add("network/loss", hazard())
    const expected = struckOf(first, ["a>b"])
    const struck = new Set(first.strikes.map((strike) => strike.occurrence))
    const again = make()
    again.add("network/loss", hazard({ rate: 0, struck }))
    assert.deepStrictEqual(struckOf(again, ["a>b"]), expected)
    assert.isAbove(expected.length, 30)
  })

  it("a hazard strikes only the subjects that it covers", () => {
    const hazards = make()
    hazards.add("network/loss", hazard({ rate: 1, covers: (subject) => subject.startsWith("n1") }))
    assert.isDefined(hazards.hit("network/loss", "n1>n2", 0))
    assert.isUndefined(hazards.hit("network/loss", "n3>n2", 0))
  })
})
