import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { emit } from "../../core/facts/Facts.ts"
import { toCheck, Violation } from "../../core/invariants/Invariant.ts"
import { commonKinds } from "../nemesis/faultKinds.ts"
import type { Fault } from "../nemesis/FaultPlan.ts"
import * as Scenario from "../run/Scenario.ts"
import { runScenario } from "../run/Simulation.ts"
import type { RunRequest, RunResult } from "../run/Verdict.ts"
import { necessityOf } from "./Necessity.ts"

/** a and b tick each second; it is wrong when a misses the tick of second 10, and b none: a pause of a over that moment does it. */
const watched = Scenario.make({
  name: "watched",
  story: "Two nodes tick, and one of them is watched at second 10.",
  safetyMillis: 20_000,
  build: (world) => {
    const ticks = Effect.forever(Effect.andThen(Effect.sleep(1_000), emit({ _tag: "Tick" })))
    for (const name of ["a", "b"]) world.addNode(name, ticks, { tags: ["process"] }).start()
  },
  invariants: [
    toCheck<number>({
      name: "a-ticks-at-ten",
      states: "a has ticked between 9.5 s and 10.5 s",
      initial: () => 0,
      step: (last, { atMicros, fact, node }) => {
        if (fact._tag !== "Tick") return last
        if (node === "a") return atMicros
        return atMicros === 11_000_000 && last < 9_500_000 ? new Violation("a was silent", { last }) : last
      }
    })
  ]
})

const run = (faults: ReadonlyArray<Fault>, request?: RunRequest): RunResult | undefined => {
  try {
    return runScenario(
      watched,
      request ?? { scenario: "watched", seed: "1", strategy: "fifo", plan: { version: 1, faults } },
      { kinds: commonKinds }
    )
  } catch {
    return undefined
  }
}

const needsOf = (...faults: ReadonlyArray<Fault>) => {
  const steps = necessityOf(run(faults) as RunResult)
  let next = steps.next()
  while (next.done !== true) next = steps.next(run([], next.value))
  return next.value
}

const pause = (at: string, lasts: string, target = "a"): Fault => ({
  when: { at },
  target,
  fault: "process/pause",
  for: lasts
})

describe("what a failure needs", () => {
  it("of a pause over the watched moment: when it may begin, how long it must last, and of which node it must be", () => {
    const [need] = needsOf(pause("9.2s", "4s"))
    assert.isTrue(need?.isNecessary)
    assert.deepStrictEqual(
      need?.trials.map(({ change, detail, effect }) => `${change} ${detail} ${effect}`),
      [
        "removed  passed",
        "earlier 0.1s same",
        "earlier 0.5s same",
        "earlier 1s same",
        "earlier 2s same",
        "earlier 5s passed",
        "later 0.1s same",
        "later 0.5s same",
        "later 1s passed",
        "shorter 3s same",
        "shorter 2s same",
        "shorter 1s passed",
        "elsewhere b passed"
      ]
    )
    assert.deepStrictEqual(need?.beginsMicros, [7_200_000, 9_700_000])
    assert.strictEqual(need?.tooShortMicros, 1_000_000)
  })

  it("of two faults that each do it alone: neither is necessary", () => {
    const needs = needsOf(pause("9.2s", "4s"), pause("9.3s", "4s"))
    assert.deepStrictEqual(
      needs.map(({ isNecessary }) => isNecessary),
      [false, false]
    )
  })

  it("of a fault that has nothing to do with it: it may be anywhere", () => {
    const [, other] = needsOf(pause("9.2s", "4s"), pause("1s", "1s", "b"))
    assert.isFalse(other?.isNecessary)
  })
})
