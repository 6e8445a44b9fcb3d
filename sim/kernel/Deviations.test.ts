import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { assert, describe, it } from "@effect/vitest"
import * as Deviations from "./Deviations.ts"
import * as Schedule from "./Schedule.ts"
import { makeKernel } from "./testing.ts"

const count = fc.nat(10_000)

describe("the name of a departure from the schedule", () => {
  it("means what it was made for", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("n1", "database", "agent-1"),
        fc.integer({ min: 1, max: 9 }),
        count,
        count,
        fc.nat(10_000_000),
        (node, incarnation, nth, position, stall) => {
          const of = `${node}/${incarnation}`
          const made = Deviations.make([
            Deviations.takesTask(`${of}@${nth}`, position),
            Deviations.preempts(`${of}#${nth}`, stall)
          ])
          assert.deepStrictEqual([...made.keys()], [of])
          assert.deepStrictEqual([...(made.get(of)?.tasks ?? [])], [[nth, position]])
          assert.deepStrictEqual([...(made.get(of)?.calls ?? [])], [[nth, stall]])
        }
      )
    )
  })

  it("is refused when it is none", () => {
    for (const name of ["", "n1", "n1@1=1", "n1/1@1", "n1/1#", "n1/1#1+4", "n1/1#1=2"]) {
      assert.throws(() => Deviations.make([name]), /is not a departure from the schedule/, name)
    }
  })
})

/** Three fibers that say who they are, one after the other unless somebody departs from that. */
const saidWith = (deviations: ReadonlyArray<string>): string => {
  let said = ""
  const fiber = (name: string) =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => (said += name))
    )
  const { add, kernel } = makeKernel({ strategy: { ...Schedule.fifo, deviations: Deviations.make(deviations) } })
  add("n1", Effect.all(["a", "b", "c"].map(fiber), { concurrency: "unbounded" })).start()
  kernel.run(1_000)
  return said
}

describe("a departure from the schedule", () => {
  it("takes one task before its turn, and leaves the others in theirs", () => {
    assert.strictEqual(saidWith([]), "abc")
    assert.strictEqual(saidWith(["n1/1@0=1"]), "bac")
    assert.strictEqual(saidWith(["n1/1@0=2"]), "cab")
    assert.strictEqual(saidWith(["n1/1@0=2", "n1/1@1=1"]), "cba")
  })

  it("that names what is not there changes nothing", () => {
    assert.strictEqual(saidWith(["n1/1@0=7", "n1/2@0=1", "n2/1@0=1", "n1/1@99=1", "n1/1#99"]), "abc")
  })
})
