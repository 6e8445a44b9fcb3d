import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { inTurns } from "./inTurns.ts"
import * as Linearizability from "./Linearizability.ts"
import { register } from "./models/Register.ts"

const read = { process: "0", input: { _tag: "Read" } as const, output: 1, called: 0, returned: 1 }

describe("a search in turns", () => {
  it.effect("gives the verdict of the search", () =>
    Effect.gen(function* () {
      const search = new Linearizability.Search(register({ initial: 1 }), [read])
      assert.deepStrictEqual(yield* inTurns(search, { turnSteps: 1 }), { _tag: "Linearizable" })
    })
  )

  it.effect("ends between two turns, when it is interrupted or somebody says so", () =>
    Effect.gen(function* () {
      const seen = { turns: 0 }
      const endless = { advance: () => void seen.turns++ as undefined }
      const fiber = yield* Effect.forkChild(inTurns<string>(endless))
      while (seen.turns < 10) yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      assert.strictEqual(yield* inTurns<string>(endless, { betweenTurns: () => "enough" }), "enough")
    })
  )
})
