import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { emit } from "../../core/facts/Facts.ts"
import { type Check, toCheck, Violation } from "../../core/invariants/Invariant.ts"
import { commonKinds } from "../nemesis/faultKinds.ts"
import type { FaultPlan } from "../nemesis/FaultPlan.ts"
import * as Swarm from "../nemesis/Swarm.ts"
import * as Scenario from "../run/Scenario.ts"
import { runScenario } from "../run/Simulation.ts"
import { isFailure, type RunRequest, type RunResult } from "../run/Verdict.ts"
import { Shrinker, sizeOf } from "./Shrinker.ts"
import { violationOf } from "./violationOf.ts"

interface Wrote {
  readonly _tag: "Wrote"
  readonly what: string
}

interface Held {
  readonly _tag: "Held"
  readonly count: number
}

/** Writes are acknowledged and kept in memory only: whoever is killed after a write has lost it. */
const forgetful = Scenario.make({
  name: "forgetful",
  story: "Each store writes once a second into its memory, and says how many writes it holds.",
  parameters: { stores: [1, 4], writes: [1, 20] },
  safetyMillis: 30_000,
  build: (world, { stores = 1, writes = 1 }) => {
    for (let index = 1; index <= stores; index++) {
      const name = `store-${index}`
      const program = Effect.gen(function* () {
        const memory: Array<string> = []
        for (let nth = 0; nth < writes; nth++) {
          yield* Effect.sleep(1_000)
          const what = `${name}-${nth}`
          if (world.operation(what)) {
            memory.push(what)
            yield* emit<Wrote>({ _tag: "Wrote", what })
          }
          yield* emit<Held>({ _tag: "Held", count: memory.length })
        }
      })
      world.addNode(name, program, { tags: ["process"], onExit: { _tag: "Restart", afterMicros: 1_000_000 } }).start()
    }
  },
  faults: (draw, world) => Swarm.draw(draw, world, { kinds: commonKinds, safetyMicros: 30_000_000 }),
  invariants: [
    toCheck<Map<string, number>>({
      name: "nothing-is-forgotten",
      states: "a store holds as many writes as it acknowledged",
      initial: () => new Map(),
      step: (written, { fact, node }) => {
        const before = written.get(node) ?? 0
        if (fact._tag === "Wrote") return written.set(node, before + 1)
        const held = fact as unknown as Held
        if (fact._tag !== "Held" || held.count >= before) return written
        return new Violation(`${node} holds ${held.count} of ${before} writes`, { node })
      }
    })
  ]
})

const run = (request: RunRequest): RunResult => runScenario(forgetful, request, { kinds: commonKinds })

const shrunk = (failure: RunResult, runOf = run): Shrinker => {
  const shrinker = new Shrinker(failure)
  const steps = shrinker.steps()
  for (let next = steps.next(); next.done !== true;) next = steps.next(runOf(next.value))
  return shrinker
}

/** What a run would say that fails, or does not, by what it was asked. */
const faked = (request: RunRequest, fails: boolean, operations: ReadonlyArray<string>): RunResult => ({
  ...run({ ...request, plan: { version: 1, faults: [] }, operations: [] }),
  request,
  operations,
  ...(request.plan === undefined ? {} : { plan: request.plan }),
  verdict: fails
    ? { _tag: "violated", invariant: "kept", message: "lost", evidence: {}, factId: 1, atMicros: 1_000_000 }
    : { _tag: "passed" }
})

/** The same, judged when the run is over, by what was held when. */
const judgedAtTheEnd: Check = {
  name: "nothing-is-forgotten",
  states: "a store never holds fewer writes than before",
  start: () => {
    const held = new Map<string, number>()
    let violation: Violation | undefined
    return {
      step: ({ atMicros, fact, id, node }) => {
        if (fact._tag !== "Held") return undefined
        const { count } = fact as unknown as Held
        const before = held.get(node) ?? 0
        if (count < before) violation ??= new Violation(`${node} forgot`, { node }, { id, atMicros })
        held.set(node, count)
        return undefined
      },
      end: () => ({ violation, judged: 1, decided: 1 })
    }
  }
}

/** The first seeds of the swarm that fail. */
const failures = Array.from({ length: 40 }, (_, seed) =>
  run({ scenario: forgetful.name, seed: String(seed), strategy: "random" })
).filter(({ verdict }) => isFailure(verdict))

describe("a failing run", () => {
  it("of a dozen faults comes down to the one that matters, on one node, with the one write that is lost", () => {
    assert.isAbove(failures.length, 5)
    assert.isAbove(Math.max(...failures.map((failure) => sizeOf(failure).faults)), 10)
    for (const failure of failures) {
      const { best } = shrunk(failure)
      assert.strictEqual(violationOf(best.verdict), violationOf(failure.verdict))
      const { faults, operations, preemptions } = sizeOf(best)
      assert.deepStrictEqual({ faults, operations, preemptions }, { faults: 1, operations: 1, preemptions: 0 })
      assert.match(best.plan?.faults[0]?.fault ?? "", /^process\/(kill|restart|stop|rolling|kill-at-point)/)
    }
  })

  it("is small when it comes back: the request alone says everything, and gives the same digest again", () => {
    for (const failure of failures) {
      const { best } = shrunk(failure)
      const again = run(JSON.parse(JSON.stringify(best.request)) as RunRequest)
      assert.strictEqual(again.digest, best.digest)
      assert.deepStrictEqual(again.verdict, best.verdict)
    }
  })

  it("that only what is judged at the end shows, ends soon after what it shows, and comes back as it was", () => {
    const scenario = { ...forgetful, invariants: [judgedAtTheEnd] }
    const runJudged = (request: RunRequest) => runScenario(scenario, request, { kinds: commonKinds })
    for (const { request } of failures.slice(0, 5)) {
      const failure = runJudged(request)
      if (!isFailure(failure.verdict)) continue
      const { best } = shrunk(failure, runJudged)
      const again = runJudged(best.request)
      assert.strictEqual(again.digest, best.digest)
      assert.deepStrictEqual(again.verdict, best.verdict)
      const { atMicros } = again.verdict as Extract<typeof again.verdict, { readonly atMicros: number }>
      assert.isAtMost(again.virtualMicros - atMicros, 1_000_000)
    }
  })

  it("may be stopped at any step: what is best by then fails in the same way and is no larger", () =>
    fc.assert(
      fc.property(fc.constantFrom(...failures), fc.nat(40), (failure, stepsMax) => {
        const shrinker = new Shrinker(failure)
        const steps = shrinker.steps()
        let next = steps.next()
        for (let step = 0; step < stepsMax && next.done !== true; step++) next = steps.next(run(next.value))
        assert.strictEqual(violationOf(run(shrinker.best.request).verdict), violationOf(failure.verdict))
        assert.isAtMost(sizeOf(shrinker.best).faults, sizeOf(failure).faults)
      }),
      { numRuns: 30, seed: 1 }
    ))

  it("does not get a departure from the schedule back, of which it was rid before the schedule itself became simpler", () => {
    // Places that no run comes to: both change nothing, and one is said to matter.
    const [matters, idle] = ["store-1/1#900000", "store-1/1#900001"] as const
    const { request, ...rest } = failures[0] as RunResult
    const steps = new Shrinker({ ...rest, request: { ...request, deviations: [matters, idle] } }).steps()
    let isRid = false
    for (let next = steps.next(); next.done !== true;) {
      const { deviations = [] } = next.value
      assert.isFalse(isRid && deviations.includes(idle))
      isRid ||= deviations.includes(matters) && !deviations.includes(idle)
      next = steps.next(deviations.includes(matters) ? run(next.value) : undefined)
    }
    assert.isTrue(isRid)
  })

  it("needs a hazard to strike the third of three occurrences: without the operations of the first two it strikes the first", () => {
    const plan = (nth: number): FaultPlan => ({
      version: 1,
      faults: [{ fault: "process/delay-at-point", target: "*", when: { struck: [`n1/claimed#${nth}`] } }]
    })
    /** Each operation comes by the point once; the last one fails when it is struck there. */
    const runClaims = (request: RunRequest): RunResult => {
      const { operations = ["a", "b", "c", "last"] } = request
      const nth = operations.indexOf("last")
      const isStruck = nth >= 0 && JSON.stringify(request.plan) === JSON.stringify(plan(nth))
      return faked(request, isStruck, operations)
    }
    const { best } = shrunk(runClaims({ ...(failures[0] as RunResult).request, plan: plan(3) }), runClaims)
    assert.deepStrictEqual(best.request.operations, ["last"])
    assert.deepStrictEqual(best.request.plan, plan(0))
  })

  it("in which each strike draws how long it lasts, is told once how long: a round number that is enough", () => {
    const plan: FaultPlan = {
      version: 1,
      faults: [{ fault: "process/delay-at-point", target: "n1", when: { struck: ["n1/claimed#0"] } }]
    }
    const runDelayed = (request: RunRequest): RunResult => {
      const { millis = 5_230 } = request.plan?.faults[0]?.parameters ?? {}
      const isLong = request.plan?.faults.length === 1 && millis >= 5_000
      const drawn = { parameter: "millis", amount: 5_230 }
      return {
        ...faked(request, isLong, []),
        strikes: [{ entry: 0, atMicros: 1, occurrence: "n1/claimed#0", ...(millis === 5_230 ? { drawn } : {}) }]
      }
    }
    const { best } = shrunk(runDelayed({ ...(failures[0] as RunResult).request, plan }), runDelayed)
    assert.deepStrictEqual(best.request.plan?.faults[0]?.parameters, { millis: 6_000 })
  })

  it("is left as it is when every candidate is refused", () => {
    const failure = failures[0] as RunResult
    const shrinker = new Shrinker(failure)
    const steps = shrinker.steps()
    for (let next = steps.next(); next.done !== true;) next = steps.next(undefined)
    assert.deepStrictEqual(shrinker.best.plan, failure.plan)
  })
})

describe("taking a fault away", () => {
  it("leaves the world as it was for everybody else: what the other faults struck, they strike again", () => {
    for (const failure of failures) {
      const { plan, request } = failure
      if (plan === undefined || plan.faults.length < 2) continue
      const whole = run({ ...request, plan, untilMicros: 3_000_000 })
      for (const [entry, { fault }] of plan.faults.entries()) {
        const faults = plan.faults.filter((_, index) => index !== entry)
        const rest = run({ ...request, plan: { ...plan, faults }, untilMicros: 3_000_000 })
        const others = (result: RunResult, skipped: number) =>
          result.acted
            .filter((acted) => acted.entry !== skipped)
            .map(({ atMicros, targets }) => ({ atMicros, targets }))
        assert.deepStrictEqual(others(rest, -1), others(whole, entry), `without ${fault}`)
      }
    }
  })
})
