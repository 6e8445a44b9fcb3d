import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Facts } from "../facts/Facts.ts"
import { Label } from "../facts/Label.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { essential } from "./essential.ts"

/** Why the node ended, if it did. */
const reasonsOf = Effect.fnUntraced(function* (
  loop: Effect.Effect<unknown, unknown>,
  steer: (loop: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown> = Fiber.await
) {
  const reasons: Array<string> = []
  const exit = (reason: string) =>
    Effect.suspend(() => {
      reasons.push(reason)
      return Effect.interrupt
    })
  const running = Effect.provideService(essential("orders/work", loop), NodeExit, { exit })
  yield* Effect.exit(steer(yield* Effect.forkChild(running, { startImmediately: true })))
  return reasons
})

describe("an essential loop", () => {
  it.effect("that dies takes its node along, with a reason of one line: stacks differ from machine to machine", () =>
    Effect.gen(function* () {
      const broken = Effect.die(new TypeError("no such field"))
      assert.deepStrictEqual(yield* reasonsOf(broken), ["orders/work died: TypeError: no such field"])
      const both = Effect.ensuring(broken, Effect.die(new RangeError("nor that")))
      assert.deepStrictEqual(yield* reasonsOf(both), [
        "orders/work died: TypeError: no such field; RangeError: nor that"
      ])
    })
  )

  it.effect("says what it died of before its node is gone, each error by itself", () =>
    Effect.gen(function* () {
      const facts: Array<object> = []
      const broken = Effect.ensuring(Effect.die(new TypeError("no such field")), Effect.die(new RangeError("nor that")))
      yield* Effect.provideService(reasonsOf(broken), Facts, (fact) => facts.push(fact))
      const errors = ["TypeError: no such field", "RangeError: nor that"]
      assert.deepStrictEqual(facts, [{ _tag: "EssentialDied", label: "orders/work", errors }])
    })
  )

  it.effect("that ends or is interrupted takes nobody along", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* reasonsOf(Effect.void), [])
      assert.deepStrictEqual(yield* reasonsOf(Effect.never, Fiber.interrupt), [])
    })
  )

  it.effect("carries its label", () =>
    Effect.gen(function* () {
      let label = ""
      yield* reasonsOf(Effect.map(Label, (carried) => (label = carried)))
      assert.strictEqual(label, "orders/work")
    })
  )
})
