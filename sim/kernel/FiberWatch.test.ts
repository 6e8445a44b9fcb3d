import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"
import { labelled } from "../../core/facts/Label.ts"
import * as Schedule from "./Schedule.ts"
import type { Program } from "./SimNode.ts"
import { makeKernel, type TestKernel } from "./testing.ts"

const second = 1_000_000

const waitingIn = (program: Program, steer: (test: TestKernel) => void = ({ kernel }) => kernel.run(60 * second)) => {
  const test = makeKernel()
  const node = test.add("a", program)
  node.start()
  steer(test)
  return node
    .waiting()
    .map(({ fiber, sinceMicros, waitsFor }) => `${fiber} waits for ${waitsFor} since ${sinceMicros / second} s`)
}

/** A fiber of its own that comes a second after the one before it. */
const named = (name: string, nth: number, work: Effect.Effect<unknown>) =>
  Effect.forkChild(labelled(name, Effect.delay(work, nth * 1_000)))

describe("a deadlock is explained", () => {
  it("two fibers that each await the other's deferred", () => {
    const program = Effect.gen(function* () {
      const left = yield* Deferred.make<void>()
      const right = yield* Deferred.make<void>()
      yield* named("left", 1, Effect.andThen(Deferred.await(right), Deferred.succeed(left, undefined)))
      yield* named("right", 2, Effect.andThen(Deferred.await(left), Deferred.succeed(right, undefined)))
      return yield* Effect.never
    })
    assert.deepStrictEqual(waitingIn(program), [
      "main waits for nothing: it never ends since 0 s",
      "left waits for a deferred since 1 s",
      "right waits for a deferred since 2 s"
    ])
  })

  it("a consumer of a queue that nobody offers to, a producer of one that nobody takes from", () => {
    const program = Effect.gen(function* () {
      const empty = yield* Queue.unbounded<number>()
      const full = yield* Queue.bounded<number>(1)
      const consumer = yield* named("consumer", 1, Queue.take(empty))
      const producer = yield* named("producer", 2, Effect.forever(Queue.offer(full, 1)))
      yield* Effect.all([Fiber.join(consumer), Fiber.join(producer)])
    })
    assert.deepStrictEqual(waitingIn(program), [
      "main waits for the end of consumer since 0 s",
      "consumer waits for an offer to a queue since 1 s",
      "producer waits for room in a queue since 2 s"
    ])
  })

  it("a lock that died with its holder", () => {
    const program = Effect.gen(function* () {
      const lock = yield* Semaphore.make(1)
      const holder = yield* named("holder", 0, lock.take(1))
      yield* Fiber.join(holder)
      yield* named("heir", 1, lock.withPermit(Effect.void))
      return yield* Effect.never
    })
    assert.deepStrictEqual(waitingIn(program).slice(1), ["heir waits for a permit of a semaphore since 1 s"])
  })

  it("a latch, a topic, a call back of the program's own, a fiber that is interrupted and does not end", () => {
    const program = Effect.gen(function* () {
      const topic = yield* PubSub.unbounded<number>()
      yield* named("gate", 1, Latch.makeUnsafe(false).await)
      yield* named("listener", 2, Effect.scoped(Effect.flatMap(PubSub.subscribe(topic), PubSub.take)))
      yield* named(
        "caller",
        3,
        Effect.callback<never>((resume) => {
          void resume
        })
      )
      const stubborn = yield* named("stubborn", 0, Effect.uninterruptible(Effect.never))
      yield* Effect.delay(Fiber.interrupt(stubborn), "4 seconds")
    })
    assert.deepStrictEqual(waitingIn(program), [
      "main waits for the end of stubborn since 4 s",
      "gate waits for a latch since 1 s",
      "listener waits for a message of a topic since 2 s",
      "caller waits for a call back since 3 s",
      "stubborn waits for nothing: it never ends since 0 s"
    ])
  })
})

describe("a fiber's name", () => {
  it("is its label, its span, or the function that it runs, else main; who merely races for fibers of that name is left out", () => {
    const wait = Effect.timeoutOption(Effect.flatMap(Deferred.make<void>(), Deferred.await), "1 hour")
    const traced = Effect.fn("Payments.settle")(function* () {
      yield* wait
    })
    const program = Effect.gen(function* () {
      yield* Effect.forkChild(Effect.withSpan(wait, "by-span"))
      yield* Effect.forkChild(labelled("by-label", wait))
      yield* Effect.forkChild(labelled("outer", labelled("inner", Effect.withSpan(wait, "with-span"))))
      yield* Effect.forkChild(traced())
      yield* wait
    })
    const names = ["by-span", "by-label", "inner, with-span", "Payments.settle", "main"]
    const waits = waitingIn(program)
    for (const name of names) {
      assert.sameMembers(
        waits.filter((line) => line.startsWith(`${name} waits`)),
        [`${name} waits for a deferred since 0 s`, `${name} waits for its timer of 3600000 ms since 0 s`],
        name
      )
    }
  })

  it("a fiber that has ended is not listed, whatever became of it", () => {
    const program = Effect.gen(function* () {
      yield* Effect.forkChild(labelled("done", Effect.sleep("1 second")))
      yield* Effect.forkChild(labelled("failed", Effect.delay(Effect.die("broken"), "1 second")))
      yield* Fiber.interrupt(yield* Effect.forkChild(labelled("interrupted", Effect.never)))
      return yield* Effect.never
    })
    assert.deepStrictEqual(waitingIn(program), ["main waits for nothing: it never ends since 0 s"])
  })
})

describe("a node that is not up", () => {
  const steered = (steer: (test: TestKernel) => void) =>
    waitingIn(Effect.never, (test) => {
      test.kernel.run(second)
      steer(test)
      test.kernel.run(9 * second)
    })

  it("waits as a whole, unless it ended well or is gone for good", () => {
    assert.deepStrictEqual(
      steered(({ kernel }) => kernel.findNode("a")?.pause()),
      ["the node waits for the end of its pause since 1 s"]
    )
    assert.deepStrictEqual(
      steered(({ kernel }) => kernel.findNode("a")?.crash("by hand")),
      ["the node waits for its start: it is down since 1 s"]
    )
    assert.deepStrictEqual(
      steered(({ kernel }) => kernel.findNode("a")?.retire()),
      []
    )
    assert.deepStrictEqual(waitingIn(Effect.void), [])
  })
})

describe("watching", () => {
  const busy = Effect.gen(function* () {
    const queue = yield* Queue.bounded<number>(2)
    const lock = yield* Semaphore.make(1)
    yield* Effect.forkChild(Effect.forever(Queue.take(queue)))
    for (let round = 0; round < 20; round++) {
      yield* Effect.all(
        [1, 2, 3].map((n) => lock.withPermit(Effect.delay(Queue.offer(queue, n), n))),
        {
          concurrency: "unbounded"
        }
      ).pipe(Effect.timeoutOption("4 millis"), Effect.withSpan("round"))
    }
  })

  it("changes no step: a watched run has the digest of an unwatched one, preempted before any operation too", () => {
    const strategy = { ...Schedule.random, preemptProbability: 0.3, operationProbability: 0.1 }
    const digestOf = (isTracking: boolean) => {
      const { add, kernel } = makeKernel({ strategy, isTracking })
      add("a", busy).start()
      kernel.run(60 * second)
      return [kernel.steps, kernel.facts.digest.value]
    }
    assert.deepStrictEqual(digestOf(true), digestOf(false))
  })

  it("leaves Effect as it was", () => {
    const prototype = (): unknown => Object.getPrototypeOf(Effect.runFork(Effect.void))
    const before = Object.getOwnPropertyDescriptors(prototype())
    waitingIn(busy)
    assert.deepStrictEqual(Object.getOwnPropertyDescriptors(prototype()), before)
  })
})
