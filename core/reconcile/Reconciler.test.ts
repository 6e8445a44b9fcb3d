import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import { Facts } from "../facts/Facts.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import type { Outcome } from "./WorkQueue.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import * as Reconciler from "./Reconciler.ts"

const grant: Grant = {
  lease: "buckets/1",
  epoch: 1,
  fences: [],
  remainingMicrosUnsafe: () => 1,
  databaseMicrosUnsafe: () => 1
}

describe("Reconciler", () => {
  it.effect(
    "a defect in one key is told in one line, without a stack whose paths would differ from machine to machine",
    () =>
      Effect.gen(function* () {
        const facts: Array<object> = []
        const work = [{ key: "bad", bucketGroup: 1 }]
        const loops = Effect.gen(function* () {
          const reconciler = yield* Reconciler.make({
            due: () => Effect.succeed(work),
            everything: () => Effect.succeed(work),
            backoffMillisMax: 1_000,
            reconcile: () => Effect.die(new TypeError("no such field"))
          })
          yield* Effect.forkChild(reconciler.serve(1, grant))
          yield* TestClock.adjust("100 millis")
        })
        yield* Effect.provideService(loops, Facts, (fact) => facts.push(fact))
        assert.deepStrictEqual(facts, [{ _tag: "ReconcilePanicked", key: "bad", errors: ["TypeError: no such field"] }])
      }).pipe(Effect.scoped, Effect.provideService(NodeExit, { exit: (reason) => Effect.die(reason) }))
  )

  it.effect(
    "hands out no work of a group that is being given up (one key takes 2 s to end, another is due after 1 s)",
    () =>
      Effect.gen(function* () {
        const looks: Array<string> = []
        const work = ["slow", "eager"].map((key) => ({ key, bucketGroup: 1 }))
        const reconciler = yield* Reconciler.make({
          due: () => Effect.succeed(work),
          everything: () => Effect.succeed(work),
          backoffMillisMax: 1_000,
          reconcile: ({ key }, grantOfWork: Grant | undefined) => {
            looks.push(`${key} under ${grantOfWork?.lease ?? "nothing"}`)
            const again: Outcome = { _tag: "Again", afterMillis: 1_000 }
            return key === "slow" ? Effect.ensuring(Effect.never, Effect.sleep("2 seconds")) : Effect.succeed(again)
          }
        })
        const serving = yield* Effect.forkChild(reconciler.serve(1, grant))
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(looks, ["slow under buckets/1", "eager under buckets/1"])
        const givingUp = yield* Effect.forkChild(Fiber.interrupt(serving))
        yield* TestClock.adjust("5 seconds")
        yield* Fiber.await(givingUp)
        assert.deepStrictEqual(looks, ["slow under buckets/1", "eager under buckets/1"])
      }).pipe(Effect.scoped, Effect.provideService(NodeExit, { exit: (reason) => Effect.die(reason) }))
  )
})
