import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { labelled } from "../../core/facts/Label.ts"
import { faultKinds } from "../nemesis/faultKinds.ts"
import type { FaultPlan } from "../nemesis/FaultPlan.ts"
import * as Scenario from "./Scenario.ts"
import { runScenario } from "./Simulation.ts"
import type { Verdict } from "./Verdict.ts"
import type { World } from "./World.ts"

const verdictOf = (build: (world: World) => Scenario.Built | void, liveness?: Scenario.Liveness) => {
  const scenario = Scenario.make({ name: "stalls", story: "", safetyMillis: 60_000, build, liveness })
  return runScenario(scenario, { scenario: "stalls", seed: "1", strategy: "random" }, { kinds: [] }).verdict
}

const reasonAndWaiting = (verdict: Verdict) => {
  if (verdict._tag !== "stalled") throw new Error(`not stalled: ${verdict._tag}`)
  return [
    verdict.reason,
    ...verdict.waiting.map(
      ({ fiber, node, sinceMicros, waitsFor }) => `${node}: ${fiber} waits for ${waitsFor} since ${sinceMicros / 1e6} s`
    )
  ]
}

/** Each of two fibers awaits what the other would say after having heard. */
const embrace = Effect.gen(function* () {
  const left = yield* Deferred.make<void>()
  const right = yield* Deferred.make<void>()
  yield* Effect.all(
    [
      labelled("left", Effect.andThen(Deferred.await(right), Deferred.succeed(left, undefined))),
      labelled("right", Effect.delay(Effect.andThen(Deferred.await(left), Deferred.succeed(right, undefined)), 2_000))
    ],
    { concurrency: "unbounded" }
  )
})

const idler = labelled("idles", Effect.flatMap(Deferred.make<void>(), Deferred.await))
const ticker = labelled("ticks", Effect.forever(Effect.sleep("70 seconds")))

describe("what was struck", () => {
  it("is pinned by name only where the name is there from the start, so that the pinned plan fits its scenario", () => {
    const late = Scenario.make({
      name: "late",
      story: "",
      safetyMillis: 10_000,
      build: (world) => {
        world.addNode("early", Effect.never, { tags: ["first"] }).start()
        world.kernel.schedule(
          1_000_000,
          () => world.addNode("late", Effect.never, { tags: ["process"] }).start(),
          undefined
        )
      },
      faults: () => ({
        version: 1,
        faults: ["first", "process"].map((tag) => ({
          when: { at: "2s" },
          target: `random(${tag})`,
          fault: "process/kill"
        }))
      })
    })
    const run = (plan?: FaultPlan) =>
      runScenario(
        late,
        { scenario: "late", seed: "1", strategy: "random", ...(plan === undefined ? {} : { plan }) },
        { kinds: faultKinds }
      )
    const { effects, pinned } = run()
    assert.deepStrictEqual(
      pinned?.faults.map(({ target }) => target),
      ["early", "random(process)"]
    )
    assert.deepStrictEqual(run(pinned).effects, effects)
    assert.deepStrictEqual(effects, { "process/kill": 2 })
  })
})

describe("a stall", () => {
  it("as soon as nothing can happen any more is a deadlock: those that had to end come first, with what each waits for", () => {
    const verdict = verdictOf((world) => {
      world.addNode("bystander", idler).start()
      world.addNode("a", embrace, { mustEnd: true }).start()
    })
    assert.deepStrictEqual(reasonAndWaiting(verdict), [
      "deadlock: nothing can happen any more, and a did not end",
      "a: left waits for a deferred since 0 s",
      "a: right waits for a deferred since 2 s",
      "a: main waits for the end of left, right since 0 s",
      "bystander: idles waits for a deferred since 0 s"
    ])
  })

  it("while others go on shows at the end; who waits for somebody comes before who waits for time", () => {
    const verdict = verdictOf((world) => {
      world.addNode("ticker", ticker).start()
      world.addNode("bystander", idler).start()
      world.addNode("a", embrace, { mustEnd: true }).start()
    })
    assert.deepStrictEqual(reasonAndWaiting(verdict).slice(-3), [
      "a: main waits for the end of left, right since 0 s",
      "bystander: idles waits for a deferred since 0 s",
      "ticker: ticks waits for its timer of 70000 ms since 0 s"
    ])
  })

  it("names the node itself when it is not up, and nothing when it has ended well", () => {
    const stopped = (world: World) => {
      world.addNode("done", Effect.void).start()
      world.addNode("down", Effect.never).start()
      world.kernel.schedule(62_000_000, () => world.node("down").crash("by hand"), undefined)
      return { converged: () => "nobody is there" }
    }
    const verdict = verdictOf(stopped, { withinMillis: 5_000, quietMillis: 0, noise: () => false })
    assert.deepStrictEqual(reasonAndWaiting(verdict), [
      "not converged within 5 s after the faults ended: nobody is there",
      "down: the node waits for its start: it is down since 62 s"
    ])
  })

  it("that its second run does not repeat is nondeterminism, whether the facts tell it or the end alone", () => {
    let runs = 0
    const delays = verdictOf((world) => {
      runs++
      world.addNode("a", labelled("idles", Effect.delay(Effect.never, runs)), { mustEnd: true }).start()
      world.kernel.facts.tell(undefined, { _tag: "Built", runs } as { readonly _tag: "Built" })
    })
    const recovers = verdictOf(
      (world) => {
        runs++
        world.addNode("a", ticker).start()
        return { converged: () => runs > 3 || "it is the first run" }
      },
      { withinMillis: 5_000, quietMillis: 0, noise: () => false }
    )
    for (const verdict of [delays, recovers]) {
      assert.strictEqual(verdict._tag === "escaped" && verdict.api, "nondeterminism")
      assert.match(verdict._tag === "escaped" ? verdict.remedy : "", /stalled \((deadlock: nothing|not converged)/)
    }
  })

  it("is told the same way each time, though Effect numbers its fibers anew", () => {
    const again = () =>
      verdictOf((world) => {
        world.addNode("a", embrace, { mustEnd: true }).start()
      })
    assert.deepStrictEqual(again(), again())
  })
})

describe("a world that falls quiet before its faults are healed", () => {
  const scenario = Scenario.make({
    name: "quiet",
    story: "",
    safetyMillis: 20_000,
    build: (world) => {
      world.addNode("a", Effect.sleep("3 seconds"), { mustEnd: true }).start()
      return { converged: () => world.unended.length === 0 || "a has not ended" }
    },
    liveness: { withinMillis: 10_000, quietMillis: 0, noise: () => false }
  })
  const play = (fault: string, untilMicros?: number) =>
    runScenario(
      scenario,
      {
        scenario: "quiet",
        seed: "1",
        strategy: "random",
        plan: { version: 1, faults: [{ when: { at: "2s" }, target: "a", fault }] },
        ...(untilMicros === undefined ? {} : { untilMicros })
      },
      { kinds: faultKinds }
    )

  it.each(["process/kill", "process/stop", "process/pause"])(
    "%s without an end lasts until then, and is no deadlock",
    (fault) => assert.deepStrictEqual(play(fault).verdict, { _tag: "passed" })
  )

  it("can be stopped at any virtual time, in either phase", () => {
    assert.strictEqual(play("process/kill", 1_500_000).virtualMicros, 1_500_000)
    assert.strictEqual(play("process/kill", 21_500_000).virtualMicros, 21_500_000)
    assert.deepStrictEqual(play("process/kill", 21_500_000).verdict, { _tag: "passed" })
  })
})
