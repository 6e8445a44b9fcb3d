import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { campaign, program } from "./arbitraryRuns.fixture.ts"
import type { Campaign } from "./Campaign.ts"
import { differenceOf } from "./Campaign.ts"
import type { SmallCase } from "./groupFailures.ts"
import { campaignLine, type Line, readStore, runLine, smallLine, type Store } from "./readStore.ts"

const ended = (text: string): Line => ({ text, isEnded: true })

const small: SmallCase = {
  scenario: "calm",
  seed: "7",
  violation: "stalled r",
  plan: { version: 1, faults: [{ when: { at: "1s" }, target: "n1", fault: "process/kill", for: "2s" }] },
  operations: 3,
  file: "failures/calm-7-small.json"
}

const read = (lines: ReadonlyArray<Line>): Store => readStore(lines) as Store

describe("a store", () => {
  it("is read as it was written", () =>
    fc.assert(
      fc.property(program, (runs) => {
        const store = read([campaignLine(campaign), ...runs.map(runLine), smallLine(small)].map(ended))
        assert.deepStrictEqual(store, {
          campaign,
          runs,
          smalls: [small],
          lost: [],
          isEnded: true
        })
      })
    ))

  it("that was cut in any one place has all lines but the one that was cut, whose number is told", () =>
    fc.assert(
      fc.property(
        program.filter((runs) => runs.length > 0),
        fc.nat(),
        fc.nat(),
        fc.boolean(),
        (runs, which, where, isLast) => {
          const at = isLast ? runs.length - 1 : which % runs.length
          const lines = runs.map(runLine)
          const whole = lines[at] as string
          const cut = { text: whole.slice(0, 1 + (where % (whole.length - 1))), isEnded: !isLast }
          const store = read([ended(campaignLine(campaign)), ...lines.map((text, n) => (n === at ? cut : ended(text)))])
          assert.deepStrictEqual(store.runs, runs.toSpliced(at, 1))
          assert.deepStrictEqual(store.lost, [{ line: at + 2, why: isLast ? "cut off" : "cut or garbled" }])
          assert.strictEqual(store.isEnded, !isLast)
        }
      )
    ))

  it.each([
    ["two lines that have become one", `${smallLine(small)}${smallLine(small)}`, /cut or garbled/],
    ["no UTF-8", undefined, /^garbled$/],
    ["another document", "[]", /neither a run nor a small failure/],
    ["a run without its digest", '{"_tag":"Run","scenario":"calm","seed":"1"}', /: is missing/],
    ["a number", "7", /neither a run nor a small failure/],
    ["nothing that is known", "null", /neither a run nor a small failure/]
  ])("with %s in the middle has the rest", (_what, text, why) => {
    const store = read([ended(campaignLine(campaign)), { text, isEnded: true }, ended(""), ended(smallLine(small))])
    assert.lengthOf(store.smalls, 1)
    assert.deepStrictEqual(
      store.lost.map(({ line }) => line),
      [2]
    )
    assert.match(store.lost[0]?.why as string, why)
  })

  it("without a line is none", () => assert.isUndefined(readStore([])))

  it.each([
    ["cut", campaignLine(campaign).slice(0, 50), /its first line tells no campaign$/],
    ["of another file", '{"version":1,"scenario":"calm"}', /its first line tells no campaign$/],
    ["of a later version", campaignLine(campaign).replace('"version":1', '"version":2'), /it is of version 2/],
    [
      "with a part missing",
      campaignLine(campaign).replace("strategy", "tragedy"),
      /its first line tells no campaign: strategy: is missing/
    ]
  ])("whose first line is %s is none that can be told", (_what, first, why) => {
    assert.throws(() => readStore([ended(first), ended(smallLine(small))]), why)
  })
})

describe("a campaign", () => {
  it("is the same whatever its plan and its mutant are called, and in whatever order its scenarios are named", () => {
    const planned: Campaign = { ...campaign, plan: { file: "a.json", hash: "1" }, mutant: { name: "a", hash: "2" } }
    const renamed: Campaign = { ...campaign, plan: { file: "b.json", hash: "1" }, mutant: { name: "b", hash: "2" } }
    assert.isUndefined(differenceOf(planned, { ...renamed, scenarios: campaign.scenarios.toReversed() }))
  })

  it.each<[Partial<Campaign>, RegExp]>([
    [{ versions: { ...campaign.versions, node: "26.0.0" } }, /of node 24.0.0, and this is 26.0.0/],
    [{ scenarios: ["calm"] }, /its scenarios have also everything, .\/my\/scenario.ts$/],
    [{ scenarios: [...campaign.scenarios, "noon"] }, /its scenarios are without noon$/],
    [{ strategy: "fifo" }, /its strategy is random, and not fifo/],
    [{ storage: "pglite" }, /its storage is model, and not pglite/],
    [{ plan: { file: "plan.json", hash: "1" } }, /its plan is none, and not plan.json/],
    [{ mutant: { name: "no-fence", hash: "1" } }, /its mutant is none, and not no-fence/],
    [{ program: "another" }, /the sources of the program have changed/]
  ])("is another one with %j", (part, expected) => {
    assert.match(differenceOf(campaign, { ...campaign, ...part }) as string, expected)
  })

  it("is another one when the plan in the same file is", () => {
    const of = (hash: string): Campaign => ({ ...campaign, plan: { file: "plan.json", hash } })
    assert.match(differenceOf(of("1"), of("2")) as string, /its plan plan.json was another one than it is now/)
  })
})
