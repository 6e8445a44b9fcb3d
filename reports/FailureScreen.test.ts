import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import { labelled } from "../core/facts/Label.ts"
import * as Scenario from "../sim/run/Scenario.ts"
import { runScenario } from "../sim/run/Simulation.ts"
import type { World } from "../sim/run/World.ts"
import type { RunResult } from "../sim/run/Verdict.ts"
import * as FailureScreen from "./FailureScreen.ts"

const screenOf = (build: (world: World) => void): ReadonlyArray<string> => {
  const scenario = Scenario.make({ name: "demo", story: "", safetyMillis: 60_000, build })
  const result = runScenario(scenario, { scenario: "demo", seed: "1", strategy: "fifo" }, { kinds: [] })
  const replay = "npx stormglass replay demo --seed 1"
  return FailureScreen.render({ result, facts: [], replay, file: undefined, paint: (_style, text) => text }).split("\n")
}

describe("the screen of a deadlock", () => {
  it("has a line for each thing waited for, with the names of who waits and since when", () => {
    const program = Effect.gen(function* () {
      const lock = yield* Semaphore.make(1)
      const orders = yield* Queue.unbounded<string>()
      const work = labelled("orders/work", Queue.take(orders))
      const book = (nth: number) => labelled(`book ${nth}`, Effect.delay(lock.withPermit(Effect.void), nth * 1_000))
      // Whoever takes the lock is gone before it gives it back.
      yield* lock.take(1)
      yield* Effect.all([work, book(1), book(2), book(3), Effect.withSpan(Effect.never, "audit")], {
        concurrency: "unbounded"
      })
    })
    const screen = screenOf((world) => {
      world.addNode("shop", program, { mustEnd: true }).start()
    })
    assert.deepStrictEqual(screen.slice(0, screen.indexOf("")), [
      "✗ demo, seed 1: stalled: deadlock: nothing can happen any more, and shop did not end",
      "  shop: orders/work waits for an offer to a queue since 0.000 s",
      "  shop: book 1, book 2 and 1 more wait for a permit of a semaphore since 1.000 s",
      "  shop: main waits for the end of orders/work, book 1, book 2, book 3, audit since 0.000 s",
      "  shop: audit waits for nothing: it never ends since 0.000 s"
    ])
  })

  it("is one screen, however many wait", () => {
    const waiters = Array.from({ length: 40 }, (_, nth) => labelled(`w${nth}`, Effect.never))
    const screen = screenOf((world) => {
      for (const [nth, waiter] of waiters.entries()) world.addNode(`n${nth}`, waiter, { mustEnd: true }).start()
    })
    const shown = screen.slice(1, screen.indexOf(""))
    assert.strictEqual(shown.length, 13)
    assert.strictEqual(shown.at(-1), "  … and 28 more")
  })
})

describe("the screen of a violation", () => {
  const screenWith = (evidence: Readonly<Record<string, unknown>>) => {
    const verdict = {
      _tag: "violated",
      invariant: "rows",
      message: "it changed",
      evidence,
      factId: 7,
      atMicros: 1_500_000
    }
    const result = { request: { scenario: "demo", seed: "1" }, verdict } as unknown as RunResult
    const lines = FailureScreen.render({
      result,
      facts: [],
      replay: "",
      file: undefined,
      paint: (_style, text) => text
    })
    return lines.split("\n").slice(2, 4)
  }

  it("shows of a row that changed what did, however long the rest is", () =>
    assert.deepStrictEqual(
      screenWith({
        before: { fingerprint: "f".repeat(300), status: 201, holder: "n1" },
        after: { fingerprint: "f".repeat(300), status: 200, answer: null, holder: "n1" }
      }),
      [`  before: {"status":201}`, `  after: {"status":200,"answer":null}`]
    ))

  it("shows short rows whole: what stayed may be what is wrong", () => {
    const before = { holder: "n1", expiresAt: 12 }
    const after = { holder: "n2", expiresAt: 12 }
    const whole = [`  before: ${JSON.stringify(before)}`, `  after: ${JSON.stringify(after)}`]
    assert.deepStrictEqual(screenWith({ before, after }), whole)
  })

  it("shows a row whole that was not there before", () =>
    assert.deepStrictEqual(screenWith({ before: null, after: { status: 200 } }), [
      "  before: null",
      `  after: {"status":200}`
    ]))
})
