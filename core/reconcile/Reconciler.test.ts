import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Clock from "effect/Clock"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import { Facts } from "../facts/Facts.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import type { Outcome } from "./WorkQueue.ts"
import { listRowsMax, reconcileBatchMax, reconcileResyncMillis, reconcileTimeoutMillis } from "../Limits.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import type { Reconciled } from "./ReconcileFacts.ts"
import * as Reconciler from "./Reconciler.ts"

const grant: Grant = {
  lease: "buckets/1",
  epoch: 1,
  fences: [],
  remainingMicrosUnsafe: () => 1,
  databaseMicrosUnsafe: () => 1
}

describe("Reconciler", () => {
  // covers A14
  it.effect(
    "a defect in one key is told in one line, without a stack whose paths would differ from machine to machine",
    () =>
      Effect.gen(function* () {
        const facts: Array<object> = []
        const work = [{ key: "bad", bucketGroup: 1 }]
        const loops = Effect.gen(function* () {
          const reconciler = yield* Reconciler.make({
            due: () => Effect.succeed(work),
            everything: (_, give) => give(work),
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
          everything: (_, give) => give(work),
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

  const looking = (options: {
    readonly due: ReadonlyArray<string>
    readonly everything: ReadonlyArray<ReadonlyArray<string>>
    readonly reconcile: (key: string) => Effect.Effect<Outcome>
  }) =>
    Effect.gen(function* () {
      const looks: Array<string> = []
      const left = new Set(options.due)
      const workOf = (keys: ReadonlyArray<string>) => keys.map((key) => ({ key, bucketGroup: 1 }))
      const reconciler = yield* Reconciler.make({
        due: () => Effect.sync(() => workOf([...left].slice(0, reconcileBatchMax))),
        everything: (_, give) => Effect.forEach(options.everything, (page) => give(workOf(page)), { discard: true }),
        backoffMillisMax: 1_000_000,
        reconcile: ({ key }) =>
          Effect.suspend(() => {
            looks.push(key)
            left.delete(key)
            return options.reconcile(key)
          })
      })
      yield* Effect.forkChild(reconciler.serve(1, grant))
      return looks
    })
  const keys = (count: number, prefix = "key") => Array.from({ length: count }, (_, nth) => `${prefix}-${nth}`)
  const done = () => Effect.succeed<Outcome>({ _tag: "Done" })
  const ended = Effect.provideService(NodeExit, { exit: (reason) => Effect.die(reason) })

  it.effect("asks for the next batch when one has had its turn: 2,000 due keys in a second, not 200", () =>
    Effect.gen(function* () {
      const looks = yield* looking({ due: keys(2_000), everything: [], reconcile: done })
      for (let step = 0; step < 20; step++) yield* TestClock.adjust("50 millis")
      assert.strictEqual(new Set(looks).size, 2_000)
    }).pipe(Effect.scoped, ended)
  )

  // covers A14
  it.effect("retries no more than the burst and then ten a second, of all keys together", () =>
    Effect.gen(function* () {
      const failing = (): Effect.Effect<Outcome> => Effect.succeed({ _tag: "Failed", afterMillis: 0 })
      const looks = yield* looking({ due: keys(150), everything: [], reconcile: failing })
      for (let step = 0; step < 100; step++) yield* TestClock.adjust("100 millis")
      assert.isAtLeast(looks.length, 150 + 100)
      assert.isAtMost(looks.length, 150 + 100 + 10 * 10)
    }).pipe(Effect.scoped, ended)
  )

  // covers A14
  it.effect("gives up a look without an end after its time, and looks again; another key does not wait for it", () =>
    Effect.gen(function* () {
      const failed: Array<string> = []
      let begun = 0
      let interrupted = 0
      const stuck = Effect.onInterrupt(
        Effect.suspend(() => (begun++, Effect.never)),
        () => Effect.sync(() => void interrupted++)
      )
      const again: Outcome = { _tag: "Again", afterMillis: 1_000 }
      const looks = yield* looking({
        due: ["stuck", "other"],
        everything: [],
        reconcile: (key) => (key === "stuck" ? stuck : Effect.succeed(again))
      }).pipe(
        Effect.provideService(Facts, (fact) => {
          const { _tag, detail, key } = fact as Reconciled
          if (_tag === "Reconciled") failed.push(`${key}: ${detail}`)
        })
      )
      yield* TestClock.adjust(1)
      for (let second = 1; second < reconcileTimeoutMillis / 1_000; second++) yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([begun, interrupted, failed], [1, 0, []])
      assert.isAtLeast(looks.filter((key) => key === "other").length, reconcileTimeoutMillis / 1_000 - 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(interrupted, 1)
      assert.deepStrictEqual(failed, [`stuck: no end within ${reconcileTimeoutMillis} ms`])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(begun, 2)
    }).pipe(Effect.scoped, ended)
  )

  it.effect("what is due waits for a page of all there is, not for all of it", () =>
    Effect.gen(function* () {
      const pages = [keys(listRowsMax, "a"), keys(listRowsMax, "b"), keys(1, "c")]
      const looks = yield* looking({ due: [], everything: pages, reconcile: done })
      // When it begins is drawn: between 54 and 66 s.
      yield* TestClock.adjust(reconcileResyncMillis * 0.9)
      for (let step = 0; step < 13 && looks.length < listRowsMax; step++) yield* TestClock.adjust(1_000)
      assert.strictEqual(looks.filter((key) => key.startsWith("a")).length, listRowsMax)
      assert.isFalse(looks.some((key) => key.startsWith("c")))
      for (let step = 0; step < 12; step++) yield* TestClock.adjust(1_000)
      assert.strictEqual(looks.at(-1), "c-0")
    }).pipe(Effect.scoped, ended)
  )

  it.effect(
    "what waits for its next try for long is not due meanwhile: 300 keys that fail fill no batch, and another is served",
    () =>
      Effect.gen(function* () {
        const looks: Array<string> = []
        const nowMillis = Clock.currentTimeMillis
        const dueAt = new Map([...keys(300, "bad"), "good"].map((key) => [key, 0]))
        const reconciler = yield* Reconciler.make({
          due: () =>
            Effect.map(nowMillis, (now) =>
              [...dueAt]
                .filter(([, at]) => at <= now)
                .toSorted(([, a], [, b]) => a - b)
                .slice(0, reconcileBatchMax)
                .map(([key]) => ({ key, bucketGroup: 1 }))
            ),
          everything: () => Effect.void,
          backoffMillisMax: 1_000_000,
          reconcile: ({ key }) =>
            Effect.sync((): Outcome => {
              looks.push(key)
              if (key !== "good") return { _tag: "Failed", afterMillis: 60_000 }
              dueAt.delete(key)
              return { _tag: "Done" }
            }),
          failed: (work, _, { retryMillis }) =>
            Effect.map(nowMillis, (now) => {
              dueAt.set(work.key, now + retryMillis)
              return { _tag: "Postponed", work }
            })
        })
        yield* Effect.forkChild(reconciler.serve(1, grant))
        for (let step = 0; step < 100; step++) yield* TestClock.adjust("100 millis")
        assert.include(looks, "good")
        assert.strictEqual(looks.length, 301)
        // Somebody asks for one of them: it does not wait for its next try.
        dueAt.set("bad-7", yield* nowMillis)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(looks.length, 302)
      }).pipe(Effect.scoped, ended)
  )

  // covers A13
  it.effect(
    "looks at once when it hears that something is due, not more often than each 50 ms, and each second when it hears nothing",
    () =>
      Effect.gen(function* () {
        const heard = yield* Queue.sliding<void>(1)
        const asked: Array<number> = []
        const reconciler = yield* Reconciler.make({
          due: () => Effect.map(Clock.currentTimeMillis, (now) => (asked.push(now), [])),
          everything: () => Effect.void,
          backoffMillisMax: 1_000,
          reconcile: done,
          hints: Effect.succeed(heard)
        })
        yield* Effect.forkChild(reconciler.serve(1, grant))
        yield* TestClock.adjust(500)
        yield* Queue.offer(heard, undefined)
        yield* TestClock.adjust(1)
        assert.deepStrictEqual(asked, [0, 500])
        for (let millis = 0; millis < 200; millis++) {
          yield* Queue.offer(heard, undefined)
          yield* TestClock.adjust(1)
        }
        assert.deepStrictEqual(asked, [0, 500, 550, 600, 650, 700])
        yield* TestClock.adjust(50)
        yield* TestClock.adjust(2_000)
        assert.deepStrictEqual(asked.slice(6), [750, 1_750, 2_750])
      }).pipe(Effect.scoped, ended)
  )

  it.effect("what is parked is not looked at again, however often it waits in the store", () =>
    Effect.gen(function* () {
      const causes: Array<string | undefined> = []
      let isParked = false
      const reconciler = yield* Reconciler.make({
        due: () => Effect.sync(() => (isParked ? [] : [{ key: "bad", bucketGroup: 1 }])),
        everything: () => Effect.void,
        backoffMillisMax: 100,
        reconcile: () => Effect.die(new TypeError("no such field")),
        failed: (_, __, { cause }) =>
          Effect.sync(() => {
            causes.push(cause)
            isParked = causes.length === 3
            return isParked ? { _tag: "Parked" } : { _tag: "Changed" }
          })
      })
      yield* Effect.forkChild(reconciler.serve(1, grant))
      for (let step = 0; step < 50; step++) yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(
        causes,
        Array.from({ length: 3 }, () => "TypeError: no such field")
      )
    }).pipe(Effect.scoped, ended)
  )
})
