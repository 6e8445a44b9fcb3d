/** What an agent says and does next, from what it was given and what it sees. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Schema from "effect/Schema"
import { Exchange } from "../api/Views.ts"
import { Observation, type Observed } from "../ports/Provider.ts"
import { type Assigned, features, lookMillis, reports, steps } from "./AgentPlan.ts"

const spec = { image: "web:1", size: "small" } as const
const observation = fc.constantFrom(...Observation.literals)
const uid: fc.Arbitrary<string> = fc.constantFrom("a", "b", "c", "d", "e")
const assigned: fc.Arbitrary<ReadonlyArray<Assigned>> = fc.uniqueArray(
  fc.record({
    uid,
    attempt: fc.integer({ min: 1, max: 3 }),
    spec: fc.constant(spec),
    wanted: fc.constantFrom("run", "stop"),
    observed: fc.option(observation)
  }),
  { selector: (each) => each.uid }
)
const observed: fc.Arbitrary<Observed> = fc.record(
  { observation, cause: fc.string({ unit: "binary", maxLength: 500 }) },
  { requiredKeys: ["observation"] }
)
const seen = fc.uniqueArray(fc.tuple(uid, observed), { selector: ([of]) => of }).map((pairs) => new Map(pairs))
const isReadBy = Schema.is(Exchange.fields.reports)

describe("an agent", () => {
  it("starts what is wanted and not there, and stops all that is there and not wanted, each once", () =>
    fc.assert(
      fc.property(assigned, seen, (given, here) => {
        const { start, stop } = steps(given, here)
        const wanted = given.filter((each) => each.wanted === "run").map((each) => each.uid)
        assert.deepStrictEqual(
          start.map((each) => each.uid),
          wanted.filter((each) => (here.get(each)?.observation ?? "Absent") === "Absent")
        )
        const present = [...here].flatMap(([of, what]) => (what.observation === "Absent" ? [] : [of]))
        assert.sameMembers(
          [...stop],
          present.filter((each) => !wanted.includes(each))
        )
      })
    ))

  it("does not start again what has failed: whoever placed it decides", () => {
    const failed: Assigned = { uid: "a", attempt: 1, spec, wanted: "run", observed: "Running" }
    const here = new Map([["a", { observation: "Failed", cause: "exited with code 1" } as const]])
    assert.deepStrictEqual(steps([failed], here), { start: [], stop: [] })
    assert.deepStrictEqual(reports([failed], here), [{ uid: "a", attempt: 1, observation: "Failed" }])
    assert.deepStrictEqual(reports([failed], here, features), [
      { uid: "a", attempt: 1, observation: "Failed", cause: "exited with code 1" }
    ])
  })

  it("tells how something failed as a line that every node reads which takes it, and to no other, whatever it wrote", () =>
    fc.assert(
      fc.property(assigned, seen, (given, here) => {
        const told = reports(given, here, features)
        assert.isTrue(isReadBy(told), JSON.stringify(told))
        for (const { cause, observation } of told) assert.isTrue(cause === undefined || observation === "Failed")
        assert.deepStrictEqual(
          reports(given, here),
          told.map(({ attempt, observation, uid }) => ({ uid, attempt, observation }))
        )
      })
    ))

  it("looks at once at what it has begun or ended, then after pauses that double, and each second when nothing is to be done", () =>
    assert.deepStrictEqual(
      [1, 2, 3, 4, 5, 6, 7, 2_000, 0].map(lookMillis),
      [0, 50, 100, 200, 400, 800, 1_000, 1_000, 1_000]
    ))

  it("tells only what is not believed already, and in the end all of it", () =>
    fc.assert(
      fc.property(assigned, seen, (given, here) => {
        const told = reports(given, here)
        for (const { attempt, observation, uid } of told) {
          const of = given.find((each) => each.uid === uid)
          assert.strictEqual(of?.attempt, attempt)
          assert.strictEqual(observation, here.get(uid)?.observation ?? "Absent")
        }
        // What a store believes that has taken all of it; an end that was told is not there any more.
        const after = given.flatMap((each) => {
          const report = told.find((of) => of.uid === each.uid)
          if (report === undefined) return [each]
          return report.observation === "Absent" && each.wanted === "stop"
            ? []
            : [{ ...each, observed: report.observation }]
        })
        assert.deepStrictEqual(reports(after, here), [])
      })
    ))
})
