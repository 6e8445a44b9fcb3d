import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../host/runHere.ts"
import type { ChoicePoint } from "../kernel/ChoicePoint.ts"
import { faultKinds } from "../nemesis/faultKinds.ts"
import { isFailure, type RunRequest } from "../run/Verdict.ts"
import type { Scenario } from "../run/Scenario.ts"
import { type Answer, type Bound, Exhaustive, type Finding } from "./Exhaustive.ts"
import { interleavings, stepsOfEach, type StepTaken } from "./Interleavings.fixture.ts"
import { usual } from "./Scale.ts"

const reference: RunRequest = {
  scenario: "fixture/interleavings",
  seed: "1",
  strategy: "fifo",
  isCalm: true,
  plan: { version: 1, faults: [] }
}

const bound = (choicesMax: number): Bound => ({
  choicesMax,
  untilMicros: 1_000_000,
  withinMicros: 1_000_000,
  // Only the schedule.
  scale: {
    ...usual,
    outageMillis: [],
    delayMillis: [],
    stallMillis: [],
    jumpMillis: [],
    driftRates: [],
    taskMicros: []
  }
})

const run = (scenario: Scenario, request: RunRequest): Answer & { readonly order: string } => {
  const choicePoints: Array<ChoicePoint> = []
  let order = ""
  const result = runHere(scenario, request, {
    kinds: faultKinds,
    onFact: ({ fact }) => {
      if (fact._tag === "StepTaken") order += (fact as StepTaken).by
    },
    onChoicePoint: (point) => choicePoints.push(point)
  })
  return { result, choicePoints, order }
}

/** Drives the search in this thread. */
const search = (scenario: Scenario, choicesMax: number, runsMax = Infinity) => {
  const exhaustive = new Exhaustive(reference, bound(choicesMax))
  const steps = exhaustive.steps()
  const orders = new Set<string>()
  let runs = 0
  for (let next = steps.next(); ;) {
    if (next.done === true) return { found: next.value, orders: [...orders].toSorted(), exhaustive }
    const answers: Array<Answer> = []
    for (const request of next.value.requests) {
      if (runs++ === runsMax) {
        exhaustive.stopped(answers)
        return { found: undefined, orders: [...orders].toSorted(), exhaustive }
      }
      const { order, ...answer } = run(scenario, request)
      orders.add(order)
      answers.push(answer)
      if (isFailure(answer.result.verdict)) break
    }
    next = steps.next(answers)
  }
}

const sumOf = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** The fewest departures that each order takes: by brute force, asking no run what it leaves open. */
const fewestDepartures = (): ReadonlyMap<string, number> => {
  const fewest = new Map<string, number>()
  const scenario = interleavings("none")
  for (let mask = 0; mask < 1 << decisionsMax; mask++) {
    const deviations = Array.from({ length: decisionsMax }, (_, nth) => `n1/1@${nth}=1`).filter(
      (_, nth) => (mask & (1 << nth)) !== 0
    )
    const { order, result } = run(scenario, { ...reference, deviations })
    // What named no place made no difference.
    const made = result.preemptions.length
    fewest.set(order, Math.min(fewest.get(order) ?? Infinity, made))
  }
  return fewest
}

/** More than there are in any run of it. */
const decisionsMax = 8

const allOrders = (a: number, b: number): ReadonlyArray<string> =>
  a + b === 0
    ? [""]
    : [
        ...(a > 0 ? allOrders(a - 1, b).map((rest) => `a${rest}`) : []),
        ...(b > 0 ? allOrders(a, b - 1).map((rest) => `b${rest}`) : [])
      ]

describe("an exhaustive search of two fibers that take three steps each", () => {
  const fewest = fewestDepartures()
  const hardest = Math.max(...fewest.values())
  const within = (departures: number) =>
    [...fewest].flatMap(([order, needed]) => (needed <= departures ? [order] : [])).toSorted()

  for (let departures = 1; departures <= hardest; departures++) {
    it(`sees with ${departures} departures exactly the orders that so many can make`, () => {
      assert.deepStrictEqual(search(interleavings("none"), departures).orders, within(departures))
    })
  }

  it("sees all twenty orders with as many as the hardest one takes, and counts them", () => {
    const { exhaustive, found, orders } = search(interleavings("none"), hardest)
    assert.isUndefined(found)
    assert.deepStrictEqual(orders, allOrders(stepsOfEach, stepsOfEach))
    assert.isAbove(hardest, 2)
    assert.strictEqual(exhaustive.different, orders.length)
  })

  it("counts what it has run where it is stopped or fails, and not what it would have", () => {
    const whole = search(interleavings("none"), 1).exhaustive
    assert.isAbove(whole.planned, 2)
    assert.deepStrictEqual([whole.runs[1], sumOf(whole.kinds)], [whole.planned, whole.planned])
    const { exhaustive: cut } = search(interleavings("none"), 1, 3)
    assert.deepStrictEqual([cut.runs, sumOf(cut.kinds), cut.planned], [[1, 2], 2, whole.planned])
    const [first = ""] = [...fewest].flatMap(([order, needed]) => (needed === 1 ? [order] : []))
    const { exhaustive: failed, found } = search(interleavings(first), 1)
    assert.isDefined(found)
    assert.isBelow(failed.runs[1] ?? 0, failed.planned)
    assert.strictEqual(sumOf(failed.kinds), failed.runs[1])
  })

  it("finds a bug that takes exactly one of them, with so many departures and not with one less", () => {
    for (const [order, needed] of fewest) {
      if (needed < hardest) continue
      assert.isUndefined(search(interleavings(order), needed - 1).found, order)
      const { found } = search(interleavings(order), needed)
      assert.strictEqual(found?.choices.length, needed, order)
      const again = run(interleavings(order), (found as Finding).result.request)
      assert.strictEqual(again.result.digest, found?.result.digest)
      assert.strictEqual(again.order, order)
    }
  })
})
