import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "../../sim/kernel/Schedule.ts"
import { World } from "../../sim/run/World.ts"
import { SimDatabase } from "../../sim/storage/SimDatabase.ts"
import * as SimStorage from "../../sim/storage/SimStorage.ts"
import { idempotencyRetentionMillis } from "../Limits.ts"
import * as Quota from "../quota/Quota.ts"
import { execute, type Reply } from "./execute.ts"
import { idempotencyKeys } from "./IdempotencyKey.ts"
import { KeyRetention } from "./KeyRetention.ts"
import * as RecentKeys from "./RecentKeys.ts"

const request = { scope: "shop/alice/quotas/put", key: "k1", fingerprint: "f", holder: "n1/1", label: "quotas/put" }
const answer = { status: 200, body: "{}" }

/** What the second request with the key is answered, when the client of the first has gone while its effect was under way. */
const answeredAfterGoing = (): ReadonlyArray<Reply> => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const database = new SimDatabase(world, { tables: [idempotencyKeys, Quota.quotas] as never })
  world.addNode("database", database.program).start()
  const replies: Array<Reply> = []
  const program = Effect.gen(function* () {
    const isUnderWay = yield* Deferred.make<void>()
    const asking = execute(request, (tx) =>
      tx
        .select(Quota.quotas)
        .pipe(
          Effect.andThen(Deferred.succeed(isUnderWay, undefined)),
          Effect.andThen(Effect.sleep("100 millis")),
          Effect.andThen(tx.select(Quota.quotas)),
          Effect.as(answer)
        )
    )
    const first = yield* Effect.forkChild(asking)
    yield* Deferred.await(isUnderWay)
    yield* Fiber.interrupt(first)
    replies.push(yield* asking)
  })
  world
    .addNode(
      "n1",
      program.pipe(
        Effect.provideService(KeyRetention, idempotencyRetentionMillis),
        Effect.provideService(RecentKeys.RecentKeys, RecentKeys.make()),
        Effect.provide(SimStorage.layer())
      )
    )
    .start()
  world.run("1m")
  return replies
}

describe("a request whose client has gone", () => {
  it("is finished, so that whoever asks again finds its answer and not a claim that has yet to expire", () =>
    assert.deepStrictEqual(answeredAfterGoing(), [{ _tag: "Answered", answer, isReplay: true }]))
})
