import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"
import { feedForgetIntervalMillis } from "../Limits.ts"
import { Feed, FeedError } from "../ports/Feed.ts"
import { Unavailable } from "../ports/Storage.ts"
import { forget } from "./forget.ts"

describe("changes that were kept for long enough", () => {
  it.effect("are forgotten at once, all of them, and in every round, whatever became of the one before", () =>
    Effect.gen(function* () {
      const failed = new FeedError({ reason: new Unavailable({ detail: "no answer in time" }) })
      const { die, fail, succeed } = Effect
      // The first round; two that fail; another.
      const outcomes = [
        succeed(9),
        succeed(7),
        succeed(0),
        fail(failed),
        die(new Error("driver")),
        succeed(1),
        succeed(0)
      ]
      const asked: Array<number> = []
      const feed = {
        compact: ({ olderThanMillis }: { readonly olderThanMillis: number }) =>
          Effect.suspend(() => outcomes[asked.push(olderThanMillis) - 1]!)
      } as unknown as typeof Feed.Service
      yield* Effect.forkScoped(Effect.provideService(forget(5_000), Feed, feed))
      const askedAfterRounds: Array<number> = []
      yield* TestClock.adjust(0)
      for (let round = 1; round <= 4; round++) {
        askedAfterRounds.push(asked.length)
        yield* TestClock.adjust(feedForgetIntervalMillis)
      }
      assert.deepStrictEqual(askedAfterRounds, [3, 4, 5, 7])
      assert.deepStrictEqual(new Set(asked), new Set([5_000]))
    })
  )
})
