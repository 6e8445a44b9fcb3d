import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import { emit } from "../../core/facts/Facts.ts"
import { here } from "../../core/facts/FaultPoint.ts"
import * as Schedule from "./Schedule.ts"
import type { SimNode } from "./SimNode.ts"
import { makeKernel } from "./testing.ts"

const second = 1_000_000

const say = (what: string) => emit({ _tag: "Said", what })

const said = (heard: ReturnType<typeof makeKernel>["heard"]) =>
  heard
    .filter(({ fact }) => fact._tag === "Said")
    .map(
      (envelope) =>
        `${envelope.atMicros / 1_000} ${envelope.node} ${(envelope.fact as unknown as { what: string }).what}`
    )

describe("time", () => {
  it("jumps from event to event: a day of sleep is a handful of steps", () => {
    const { add, heard, kernel } = makeKernel()
    add("a", Effect.sleep("1 day").pipe(Effect.andThen(say("awake")))).start()
    kernel.run(2 * 86_400 * second)
    assert.deepStrictEqual(said(heard), ["86400000 a awake"])
    assert.isBelow(kernel.steps, 10)
  })

  it("stops at the limit and goes on from there", () => {
    const { add, heard, kernel } = makeKernel()
    add(
      "a",
      Effect.forEach([1, 2, 3], (n) => Effect.sleep("1 second").pipe(Effect.andThen(say(String(n)))))
    ).start()
    assert.deepStrictEqual(kernel.run(1_500_000), { _tag: "Reached" })
    assert.deepStrictEqual(said(heard), ["1000 a 1"])
    assert.deepStrictEqual(kernel.run(10 * second), { _tag: "Quiescent" })
    assert.deepStrictEqual(said(heard), ["1000 a 1", "2000 a 2", "3000 a 3"])
  })

  it("a drifting node's timers fire by its own clock (rate 2: twice as early), and its wall clock jumps alone", () => {
    const { add, heard, kernel } = makeKernel()
    const program = Effect.gen(function* () {
      const wall = yield* Clock.currentTimeMillis
      const monotonic = yield* Clock.monotonicTimeNanos
      yield* Effect.sleep("10 seconds")
      const wallAfter = yield* Clock.currentTimeMillis
      const monotonicAfter = yield* Clock.monotonicTimeNanos
      yield* say(`wall +${wallAfter - wall}, monotonic +${(monotonicAfter - monotonic) / 1_000_000n}`)
    })
    const fast = add("fast", program)
    const jumpy = add("jumpy", program)
    fast.clock.drift(2)
    fast.start()
    jumpy.start()
    kernel.run(second)
    jumpy.clock.jump(-60 * second)
    kernel.run(20 * second)
    assert.deepStrictEqual(said(heard), [
      "5000 fast wall +10000, monotonic +10000",
      "10000 jumpy wall +-50000, monotonic +10000"
    ])
  })

  it("fibers that wake each other without time passing are a livelock, not a hang", () => {
    const { add, kernel } = makeKernel({ limits: { instantTasksMax: 10_000, stepsMax: 1e9 } })
    add("spinner", Effect.forever(Effect.yieldNow)).start()
    assert.deepStrictEqual(kernel.run(second), { _tag: "Livelock", node: "spinner" })
  })
})

describe("nodes", () => {
  const holds = Effect.acquireRelease(say("acquired"), () => say("released")).pipe(
    Effect.andThen(Effect.sleep("1 minute")),
    Effect.scoped
  )

  it("a crash runs no finalizer and a restart is a new incarnation; a stop runs them", () => {
    const { add, heard, kernel } = makeKernel()
    const node = add("a", holds)
    node.start()
    kernel.run(second)
    node.crash("test")
    kernel.run(2 * second)
    node.start()
    kernel.run(3 * second)
    node.stop(second)
    kernel.run(4 * second)
    assert.deepStrictEqual(said(heard), ["0 a acquired", "2000 a acquired", "3000 a released"])
    assert.strictEqual(node.incarnation, 2)
    assert.strictEqual(node.state, "down")
  })

  it("a node that is revived while it is being stopped starts again when it has ended; one that ended well or was retired does not", () => {
    const { add, heard, kernel } = makeKernel()
    const slow = add("slow", say("up").pipe(Effect.andThen(Effect.never), Effect.ensuring(Effect.sleep("2 seconds"))))
    const done = add("done", say("did it"))
    slow.start()
    done.start()
    kernel.run(second)
    slow.stop(5 * second)
    slow.revive()
    done.revive()
    kernel.run(10 * second)
    assert.deepStrictEqual(said(heard), ["0 slow up", "0 done did it", "3000 slow up"])
    slow.retire()
    slow.revive()
    assert.strictEqual(slow.state, "down")
  })

  it("a finalizer that hangs cannot outlive the stop deadline", () => {
    const { add, heard, kernel } = makeKernel()
    const node = add(
      "a",
      Effect.never.pipe(Effect.ensuring(Effect.sleep("1 hour").pipe(Effect.andThen(say("cleaned")))))
    )
    node.start()
    kernel.run(second)
    node.stop(5 * second)
    kernel.run(10 * second)
    assert.strictEqual(node.state, "down")
    assert.deepStrictEqual(said(heard), [])
  })

  it("a node that dies within a task dies for every fiber of that task: neither who killed it nor who woke him goes on", () => {
    const { add, heard, kernel } = makeKernel()
    const victim = Effect.gen(function* () {
      const fatal = yield* Deferred.make<void>()
      const dies = Effect.sync(() => node.crash("in the middle"))
      yield* Effect.forkChild(Deferred.await(fatal).pipe(Effect.andThen(dies), Effect.andThen(say("after its end"))))
      yield* Effect.sleep("1 second")
      yield* Deferred.succeed(fatal, undefined)
      yield* say("after the other's end")
    })
    const node: SimNode = add("a", victim)
    node.start()
    kernel.run(10 * second)
    assert.deepStrictEqual(said(heard), [])
  })

  it("nothing of one incarnation reaches the next: timers set before a crash do not fire after the restart", () => {
    const { add, heard, kernel } = makeKernel()
    const node = add(
      "a",
      Effect.sleep("3 seconds").pipe(Effect.andThen(Effect.suspend(() => say(`incarnation ${node.incarnation}`))))
    )
    node.start()
    kernel.run(second)
    node.crash("test")
    node.start()
    kernel.run(10 * second)
    assert.deepStrictEqual(said(heard), ["4000 a incarnation 2"])
  })

  it("a paused node runs nothing; it wakes as Node.js: queued tasks, overdue timers by due time, then inputs", () => {
    const { add, heard, kernel } = makeKernel({ strategy: Schedule.random })
    const sleeper = (millis: number) => Effect.sleep(millis).pipe(Effect.andThen(say(`timer ${millis}`)))
    const sleepers = Effect.all([sleeper(3_000), sleeper(2_000)], { concurrency: "unbounded" })
    const node = add("a", Effect.andThen(sleepers, Effect.never))
    node.start()
    kernel.run(second)
    node.pause()
    node.enqueue(() => node.tell({ _tag: "Said", what: "queued" }), undefined)
    kernel.schedule(
      500_000,
      () => {
        node.receive(() => node.tell({ _tag: "Said", what: "input" }), undefined)
      },
      undefined
    )
    kernel.run(10 * second)
    assert.deepStrictEqual(said(heard), [])
    node.resume()
    kernel.run(11 * second)
    assert.deepStrictEqual(said(heard), ["10000 a queued", "10000 a timer 2000", "10000 a timer 3000", "10000 a input"])
  })

  it("a slow processor takes time for each task", () => {
    const { add, heard, kernel } = makeKernel()
    const node = add(
      "a",
      Effect.forEach([1, 2, 3], (n) => Effect.yieldNow.pipe(Effect.andThen(say(String(n)))))
    )
    node.taskMicros = 10_000
    node.start()
    kernel.run(second)
    assert.deepStrictEqual(said(heard), ["10 a 1", "20 a 2", "30 a 3"])
  })

  it("a program's failure is told with the exit, and the node is down", () => {
    const exits: Array<string> = []
    const { add, kernel } = makeKernel()
    const node = add("a", Effect.die(new Error("broken")), (_node, exit) => exits.push(exit._tag))
    node.start()
    kernel.run(second)
    assert.deepStrictEqual(exits, ["Failure"])
    assert.strictEqual(node.state, "down")
  })
})

describe("interleavings", () => {
  // Two fibers read, then write: the second read must not come between.
  const lostUpdate = Effect.gen(function* () {
    const counter = yield* Ref.make(0)
    const increment = Effect.gen(function* () {
      const before = yield* Ref.get(counter)
      yield* here("counter/read")
      yield* Ref.set(counter, before + 1)
    })
    yield* Effect.all([increment, increment], { concurrency: "unbounded" })
    yield* say(String(yield* Ref.get(counter)))
  })

  const losses = (strategy: Schedule.Strategy, seeds: number) => {
    let lost = 0
    for (let seed = 0; seed < seeds; seed++) {
      const { add, heard, kernel } = makeKernel({ seed: String(seed), strategy })
      add("a", lostUpdate).start()
      kernel.run(second)
      if (said(heard)[0]?.endsWith(" 1") === true) lost++
    }
    return lost
  }

  it("a lost update is invisible to fifo and to reordering alone, and found by preemption at a fault point", () => {
    assert.strictEqual(losses(Schedule.fifo, 50), 0)
    assert.strictEqual(losses({ ...Schedule.random, preemptProbability: 0 }, 200), 0)
    assert.isAbove(losses({ ...Schedule.random, preemptProbability: 0.3 }, 200), 20)
  })

  it("preemption before any operation finds it without a fault point", () => {
    assert.isAbove(losses({ ...Schedule.random, preemptProbability: 0, operationProbability: 0.2 }, 200), 20)
  })

  it("preemption counts port calls: operations added in between move no decision", () => {
    const moments = (padding: number) => {
      const { add, heard, kernel } = makeKernel({ strategy: { ...Schedule.random, preemptProbability: 0.5 } })
      const pad = Effect.forEach(Array.from({ length: padding }), () => Effect.void)
      add(
        "a",
        Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], (n) => pad.pipe(Effect.andThen(say(String(n)))))
      ).start()
      kernel.run(second)
      return said(heard)
    }
    const plain = moments(0)
    assert.isAbove(Number(plain.at(-1)?.split(" ")[0]), 0)
    assert.deepStrictEqual(moments(7), plain)
  })
})

describe("determinism", () => {
  const busy = Effect.gen(function* () {
    for (let round = 0; round < 20; round++) {
      yield* Effect.sleep((yield* Random.nextIntBetween(1, 50)) * 10)
      yield* Effect.forEach([1, 2, 3], (n) => say(`${round}/${n}`), { concurrency: "unbounded" })
    }
  }).pipe(Effect.withSpan("busy"))

  const digestOf = (seed: string, strategy: Schedule.Strategy) => {
    const { add, kernel } = makeKernel({ seed, strategy })
    for (const name of ["a", "b", "c"]) add(name, busy).start()
    kernel.run(60 * second)
    return kernel.facts.digest.value
  }

  it.each(["fifo", "random"] as const)("%s: equal seeds give equal digests, different seeds different ones", (name) => {
    const strategy = Schedule.strategies[name]
    assert.strictEqual(digestOf("7", strategy), digestOf("7", strategy))
    assert.notStrictEqual(digestOf("7", strategy), digestOf("8", strategy))
  })

  it("nodes do not disturb each other's decisions: removing one leaves the others' lines as they were", () => {
    const linesOfA = (others: ReadonlyArray<string>) => {
      const { add, heard, kernel } = makeKernel({ strategy: Schedule.random })
      for (const name of ["a", ...others]) add(name, busy).start()
      kernel.run(60 * second)
      return said(heard).filter((line) => line.includes(" a "))
    }
    assert.deepStrictEqual(linesOfA(["b", "c"]), linesOfA([]))
  })

  it("a fact's cause is what really caused it: the timer that was set, and that timer's setter", () => {
    const { add, heard, kernel } = makeKernel()
    add("a", Effect.sleep("1 second").pipe(Effect.andThen(say("late")))).start()
    kernel.run(2 * second)
    const late = heard.find(({ fact }) => fact._tag === "Said")
    const timer = heard[(late?.cause ?? 0) - 1]
    const start = heard[(timer?.cause ?? 0) - 1]
    assert.deepStrictEqual([timer?.fact._tag, start?.fact._tag], ["TimerSet", "NodeStarted"])
  })
})
