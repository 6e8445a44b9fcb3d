import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Exit from "effect/Exit"
import { MaxOpsBeforeYield } from "effect/Scheduler"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import type { Feed } from "../ports/Feed.ts"
import { type Batch, Compacted, FeedError } from "../ports/Feed.ts"
import { askTogether } from "./askTogether.ts"

const answerMillis = 100

/** A feed that takes its time, and tells with each answer when it was asked. */
const slowFeed = (asked: Array<number>, fails = false) =>
  ({
    poll: () =>
      Effect.gen(function* () {
        const nowMillis = yield* Clock.currentTimeMillis
        asked.push(nowMillis)
        yield* Effect.sleep(answerMillis)
        if (fails) return yield* new FeedError({ reason: new Compacted() })
        const answer: Batch = { changes: [], cursor: String(nowMillis), isComplete: true }
        return answer
      })
  }) as unknown as typeof Feed.Service

describe("questions asked together", () => {
  it.effect("are answered by what was asked no earlier, and no more often than the feed answers", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 350 }), { minLength: 1, maxLength: 50 }), (moments) =>
          Effect.gen(function* () {
            const asked: Array<number> = []
            const { poll } = yield* askTogether(slowFeed(asked))
            const askers: Array<readonly [millis: number, fiber: Fiber.Fiber<Batch, FeedError>]> = []
            for (let millis = 0; millis <= 1_000; millis++) {
              for (const moment of moments) {
                if (moment === millis) askers.push([millis, yield* Effect.forkChild(poll("c"))])
              }
              yield* TestClock.adjust(1)
            }
            for (const [millis, fiber] of askers) {
              const { cursor } = yield* Fiber.join(fiber)
              assert.isAtLeast(Number(cursor), millis)
              assert.isAtMost(Number(cursor), millis + answerMillis)
            }
            for (const [index, from] of asked.slice(1).entries()) {
              assert.isAtLeast(from - asked[index]!, answerMillis)
            }
          }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)
        ),
        { numRuns: 20 }
      )
    )
  )

  it("lose nobody, wherever fibers are preempted", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(60), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 3, max: 9 }),
        (pauses, ops) =>
          Effect.gen(function* () {
            const answer: Batch = { changes: [], cursor: "d", isComplete: true }
            const quick = { poll: () => Effect.as(Effect.yieldNow, answer) } as unknown as typeof Feed.Service
            const { poll } = yield* askTogether(quick)
            const asking = (pause: number) =>
              Effect.andThen(
                Effect.forEach(Array.from({ length: pause }), () => Effect.yieldNow),
                poll("c")
              )
            const answers = yield* Effect.forEach(pauses, asking, { concurrency: "unbounded" })
            assert.deepStrictEqual(
              answers,
              pauses.map(() => answer)
            )
          }).pipe(Effect.scoped, Effect.provideService(MaxOpsBeforeYield, ops), Effect.runPromise)
      ),
      { numRuns: 200 }
    ))

  it.effect("fail for those who asked that one, and the next one is asked", () =>
    Effect.gen(function* () {
      const asked: Array<number> = []
      const { poll } = yield* askTogether(slowFeed(asked, true))
      const first = yield* Effect.forkChild(Effect.flip(poll("c")))
      yield* TestClock.adjust(answerMillis / 2)
      const second = yield* Effect.forkChild(Effect.flip(poll("c")))
      yield* TestClock.adjust(answerMillis / 2)
      assert.strictEqual((yield* Fiber.join(first)).reason._tag, "Compacted")
      assert.isUndefined(second.pollUnsafe())
      yield* TestClock.adjust(answerMillis)
      assert.strictEqual((yield* Fiber.join(second)).reason._tag, "Compacted")
      assert.lengthOf(asked, 2)
    })
  )

  it.effect(
    "of different places do not wait for each other; who goes away takes nobody with him, and the end ends all",
    () =>
      Effect.gen(function* () {
        const asked: Array<number> = []
        const scope = yield* Scope.make()
        const { poll } = yield* Scope.provide(askTogether(slowFeed(asked)), scope)
        const [first, other] = [yield* Effect.forkChild(poll("c")), yield* Effect.forkChild(poll("d"))]
        yield* TestClock.adjust(answerMillis / 2)
        assert.lengthOf(asked, 2)
        const second = yield* Effect.forkChild(poll("c"))
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust(answerMillis)
        assert.strictEqual((yield* Fiber.join(other)).isComplete, true)
        yield* Scope.close(scope, Exit.void)
        assert.isTrue(Exit.isFailure(yield* Fiber.await(second)))
      })
  )
})
