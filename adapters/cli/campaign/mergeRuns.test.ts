import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { program, elsewhere, scenarios } from "./arbitraryRuns.fixture.ts"
import { type CampaignRun, keyOf } from "./CampaignRun.ts"
import { groupFailures, type SmallCase } from "./groupFailures.ts"
import { mergeRuns } from "./mergeRuns.ts"
import { partOf } from "./Shard.ts"
import { summarize } from "./Summary.ts"

/** What anybody reads of runs. */
const reportOf = (runs: ReadonlyArray<CampaignRun>) => {
  const merged = mergeRuns(runs)
  const fastest = (run: CampaignRun) => ({ ...run, hostMillis: 0 })
  return {
    summary: summarize(merged.runs, scenarios),
    groups: groupFailures(merged.runs, []).map((group) => ({ ...group, fastest: fastest(group.fastest) })),
    conflicts: merged.conflicts.length
  }
}

const shuffled = <A>(items: ReadonlyArray<A>) =>
  fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length })

const shards = (runs: ReadonlyArray<CampaignRun>, count: number) =>
  Array.from({ length: count }, (_, at) => partOf(runs, scenarios.length, { index: at + 1, count }))

describe("shards", () => {
  it("have each pair once, and as many of each scenario and of each seed as any other, to within one", () =>
    fc.assert(
      fc.property(program, fc.integer({ min: 1, max: 7 }), (runs, count) => {
        const parts = shards(runs, count)
        assert.sameMembers(parts.flat(), [...runs])
        for (const of of [({ scenario }: CampaignRun) => scenario, ({ seed }: CampaignRun) => seed]) {
          for (const name of new Set(runs.map(of))) {
            const sizes = parts.map((part) => part.filter((run) => of(run) === name).length)
            assert.isAtMost(Math.max(...sizes) - Math.min(...sizes), 1)
          }
        }
      })
    ))

  it("merged are the whole, in whatever order and however often their runs come, and from whatever machine", () =>
    fc.assert(
      fc.property(
        program.chain((runs) =>
          fc.record({
            runs: fc.constant(runs),
            count: fc.integer({ min: 1, max: 4 }),
            again: fc.subarray([...runs]),
            order: shuffled([...runs.keys()])
          })
        ),
        ({ again, count, order, runs }) => {
          const parts = shards(runs, count).flat()
          const mixed = order.map((at) => parts[at] as CampaignRun)
          assert.deepStrictEqual(reportOf([...mixed, ...elsewhere(again)]), reportOf(runs))
        }
      )
    ))
})

describe("two stores with the same pairs", () => {
  it("that contradict each other are merged to the same from both sides, no failure is lost, and each contradiction is told", () =>
    fc.assert(
      fc.property(
        program.chain((runs) => fc.tuple(fc.constant(runs), shuffled(runs))),
        ([runs, others]) => {
          // The same pairs with the outcomes of others.
          const there = runs.map(({ scenario, seed }, at) => ({ ...(others[at] as CampaignRun), scenario, seed }))
          const one = mergeRuns([...runs, ...there])
          assert.deepStrictEqual(mergeRuns([...there, ...runs]), one)
          assert.deepStrictEqual(mergeRuns([...one.runs, ...one.conflicts.flat()]), one)
          const failing = (all: ReadonlyArray<CampaignRun>) =>
            all.filter(({ violation }) => violation !== "").map(keyOf)
          assert.sameMembers(failing(one.runs), [...new Set(failing([...runs, ...there]))])
          const differing = runs.filter(({ digest }, at) => digest !== there[at]?.digest)
          assert.sameMembers(
            one.conflicts.map(([first]) => keyOf(first as CampaignRun)),
            differing.map(keyOf)
          )
        }
      )
    ))

  it("where one machine lost the run have the failure, and no contradiction: what gave no result has no digest", () => {
    const passed = { verdict: { _tag: "passed" }, violation: "", digest: "0f" } as const
    const cause = "its thread ended with 134"
    const lost = {
      verdict: { _tag: "crashed", node: "the simulator", cause, atMicros: 0 },
      violation: "crashed"
    } as const
    const rest = { scenario: "calm", seed: "1", virtualMicros: 1, steps: 1, hostMillis: 1, effects: {}, marks: {} }
    const { conflicts, runs } = mergeRuns([
      { ...rest, ...passed },
      { ...rest, ...lost, digest: "" }
    ])
    assert.deepStrictEqual(runs, [{ ...rest, ...lost, digest: "" }])
    assert.deepStrictEqual(conflicts, [])
  })
})

describe("failures", () => {
  it("are in one group for what they violated, which knows all of them and the one that is over soonest", () =>
    fc.assert(
      fc.property(program, (runs) => {
        const failures = runs.filter(({ violation }) => violation !== "")
        const groups = groupFailures(runs, [])
        assert.lengthOf(groups, new Set(failures.map(({ violation }) => violation)).size)
        for (const { count, fastest, seeds, violation } of groups) {
          const ofIt = failures.filter((run) => run.violation === violation)
          assert.strictEqual(count, ofIt.length)
          assert.strictEqual(fastest.virtualMicros, Math.min(...ofIt.map(({ virtualMicros }) => virtualMicros)))
          const told = Object.entries(seeds).flatMap(([scenario, all]) => all.map((seed) => keyOf({ scenario, seed })))
          assert.sameMembers(told, ofIt.map(keyOf))
        }
      })
    ))

  it("that were made small are told by the kinds of faults that are left, the least case first", () => {
    const run = {
      scenario: "calm",
      verdict: { _tag: "stalled", reason: "r", waiting: [], atMicros: 1 },
      violation: "stalled r",
      digest: "0f",
      virtualMicros: 1,
      steps: 1,
      hostMillis: 1,
      effects: {},
      marks: {}
    } as const
    const runs = ["1", "2", "10"].map((seed) => ({ ...run, seed }))
    const small = (seed: string, operations: number, ...faults: ReadonlyArray<string>): SmallCase => ({
      scenario: "calm",
      seed,
      violation: "stalled r",
      plan: { version: 1, faults: faults.map((fault) => ({ when: { at: "1s" }, target: "*", fault })) },
      operations
    })
    const smalls = [
      small("1", 3, "process/kill", "network/loss"),
      small("2", 2, "network/loss", "process/kill"),
      small("2", 2, "network/loss", "process/kill"),
      small("10", 4, "process/pause")
    ]
    const [group] = groupFailures(runs, smalls)
    assert.deepStrictEqual(group?.seeds, { calm: ["1", "2", "10"] })
    assert.deepStrictEqual(group?.smalls, [
      { faults: "process/pause", count: 1, least: smalls[3] as SmallCase },
      { faults: "network/loss + process/kill", count: 2, least: smalls[1] as SmallCase }
    ])
  })
})
