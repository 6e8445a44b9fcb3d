/** Two runners that share a database, by what `Sharding` asks of their storages. */
import { assert, describe, it } from "@effect/vitest"
import * as Runner from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { StillDatabase } from "../../sim/storage/StillDatabase.fixture.ts"
import { leases, Storage } from "../ports/Storage.ts"
import { runners } from "./RunnerRows.ts"
import * as ShardFence from "./ShardFence.ts"

const shards = [ShardId.make("default", 1), ShardId.make("default", 2)] as const
const [first, second] = shards
const names = (ids: ReadonlyArray<ShardId.ShardId>) => ids.map(String)

/** T is 35 s, R 29.166 s. */
const cluster = Effect.gen(function* () {
  const database = new StillDatabase(leases, runners)
  /** How often the database was asked, and how long its answers take: nobody gets one while it is silent. */
  const calls = { count: 0, isSilent: false, answerMillis: 0 }
  const once: Storage["Service"]["once"] = (call, options) =>
    Effect.suspend(() => {
      calls.count++
      if (calls.isSilent) return Effect.never
      const answered = database.once(call, options)
      return calls.answerMillis === 0 ? answered : Effect.tap(answered, () => Effect.sleep(calls.answerMillis))
    })
  const runner = Effect.fnUntraced(function* (name: string) {
    const address = RunnerAddress.make(name, 1)
    const services = yield* Layer.build(
      ShardFence.layer().pipe(
        Layer.provide(Layer.succeed(Storage, Storage.of({ once, transaction: () => Effect.never }))),
        Layer.provide(ShardingConfig.layer())
      )
    )
    const storage = Context.get(services, RunnerStorage.RunnerStorage)
    return {
      address,
      storage,
      acquire: Effect.map(storage.acquire(address, shards), names),
      refresh: Effect.map(storage.refresh(address, shards), names),
      grant: Context.get(services, ShardFence.ShardFence).of(first)
    }
  })
  const pass = (millis: number) => {
    database.nowMicros += millis * 1_000
    return TestClock.adjust(millis)
  }
  const epochs = () => database.rows(leases).map(({ epoch }) => epoch)
  return { calls, database, epochs, pass, one: yield* runner("one"), two: yield* runner("two") }
})

describe("a shard", () => {
  it.effect("is one runner's while it is refreshed, and refused to the other", () =>
    Effect.gen(function* () {
      const { one, pass, two } = yield* cluster
      assert.deepStrictEqual(yield* one.acquire, ["default:1", "default:2"])
      for (let nth = 0; nth < 10; nth++) {
        yield* pass(10_000)
        assert.deepStrictEqual(yield* one.refresh, ["default:1", "default:2"])
        assert.deepStrictEqual(yield* two.acquire, [])
      }
      const grant = yield* one.grant
      assert.deepStrictEqual([grant.epoch, grant.fences], [1, [{ lease: "cluster/default:1", epoch: 1 }]])
      assert.deepStrictEqual([(yield* two.grant).epoch, (yield* two.grant).fences], [0, []])
    })
  )

  it.effect("has a higher epoch after it was handed over in order, at once", () =>
    Effect.gen(function* () {
      const { epochs, one, two } = yield* cluster
      yield* one.acquire
      const before = yield* one.grant
      yield* one.storage.release(one.address, first)
      assert.deepStrictEqual(yield* two.acquire, ["default:1"])
      assert.deepStrictEqual([before.remainingMicrosUnsafe(), (yield* two.grant).epoch], [0, 2])
      yield* one.storage.releaseAll(one.address)
      assert.deepStrictEqual(yield* two.acquire, ["default:1", "default:2"], "its own it may acquire again")
      assert.deepStrictEqual(epochs(), [3, 2])
    })
  )

  it.effect("that another took after its expiry is lost to who had it, whatever it asks for", () =>
    Effect.gen(function* () {
      const { one, pass, two } = yield* cluster
      yield* one.acquire
      yield* pass(35_000)
      assert.deepStrictEqual(yield* two.acquire, ["default:1", "default:2"])
      assert.deepStrictEqual(yield* one.refresh, [])
      yield* one.storage.releaseAll(one.address)
      assert.deepStrictEqual(yield* two.refresh, ["default:1", "default:2"])
      assert.deepStrictEqual([(yield* one.grant).epoch, (yield* two.grant).epoch], [0, 2])
    })
  )

  it.effect(
    "that nobody took after the deadline of its runner is lost all the same, and has another epoch next time",
    () =>
      Effect.gen(function* () {
        const { calls, one, pass } = yield* cluster
        yield* one.acquire
        const before = yield* one.grant
        yield* pass(29_200)
        calls.isSilent = true
        assert.deepStrictEqual(yield* one.refresh, [], "which it says without asking the database")
        calls.isSilent = false
        assert.deepStrictEqual(yield* one.acquire, ["default:1", "default:2"])
        assert.deepStrictEqual([before.epoch, (yield* one.grant).epoch], [1, 2])
        assert.strictEqual(before.remainingMicrosUnsafe(), 0, "and what had the first goes on having nothing")
      })
  )

  it.effect("has a deadline that counts from the sending of the renewal, and not from its answer", () =>
    Effect.gen(function* () {
      const { calls, database, one, pass } = yield* cluster
      yield* one.acquire
      yield* pass(10_000)
      calls.answerMillis = 8_000
      const asking = yield* Effect.forkChild(one.refresh, { startImmediately: true })
      yield* pass(8_000)
      assert.deepStrictEqual(yield* Fiber.join(asking), ["default:1", "default:2"])
      const remainingMillis = (yield* one.grant).remainingMicrosUnsafe() / 1_000
      assert.closeTo(remainingMillis, (35_000 * 5) / 6 - 8_000, 1)
      assert.strictEqual(database.rows(leases)[0]!.expiresAt - database.nowMicros, 27_000_000)
    })
  )

  it.effect("is not granted by an answer that comes after the deadline", () =>
    Effect.gen(function* () {
      const { calls, epochs, one, pass } = yield* cluster
      calls.answerMillis = 15_000
      const asking = yield* Effect.forkChild(one.acquire, { startImmediately: true })
      yield* pass(15_000)
      yield* pass(15_000)
      assert.deepStrictEqual(yield* Fiber.join(asking), [])
      calls.answerMillis = 0
      assert.deepStrictEqual(yield* one.acquire, ["default:1", "default:2"])
      assert.deepStrictEqual(epochs(), [2, 2])
    })
  )

  it.effect("of two acquisitions of which the later is answered first stays that of the later", () =>
    Effect.gen(function* () {
      const { calls, epochs, one, pass } = yield* cluster
      calls.answerMillis = 2_000
      const early = yield* Effect.forkChild(one.acquire, { startImmediately: true })
      yield* pass(2_000)
      calls.answerMillis = 0
      assert.deepStrictEqual(yield* one.acquire, ["default:1", "default:2"])
      const grant = yield* one.grant
      yield* pass(2_000)
      assert.deepStrictEqual(yield* Fiber.join(early), [])
      assert.deepStrictEqual([epochs(), grant.epoch, (yield* one.grant).epoch], [[2, 2], 2, 2])
      assert.isAbove(grant.remainingMicrosUnsafe(), 0)
    })
  )

  it.effect(
    "of which one is newly lost costs no other: those are told as they are, and renewed at the next refresh",
    () =>
      Effect.gen(function* () {
        const { calls, one, pass } = yield* cluster
        yield* one.storage.acquire(one.address, [first])
        yield* pass(20_000)
        yield* one.storage.acquire(one.address, [second])
        yield* pass(10_000)
        const asked = calls.count
        assert.deepStrictEqual(yield* one.refresh, ["default:2"])
        assert.strictEqual(calls.count, asked)
        assert.deepStrictEqual(yield* one.refresh, ["default:2"])
        assert.strictEqual(calls.count, asked + 2, "a heartbeat and a renewal")
      })
  )
})

describe("what is guarded", () => {
  const guardedFor = (millis: number) =>
    Effect.gen(function* () {
      const world = yield* cluster
      yield* world.one.acquire
      const { guarded } = yield* world.one.grant
      const said: Array<string> = []
      const work = Effect.sleep(millis).pipe(
        Effect.andThen(Effect.sync(() => said.push("ended"))),
        Effect.onInterrupt(() => Effect.sync(() => said.push("interrupted")))
      )
      const running = yield* Effect.forkChild(Effect.exit(guarded(work)))
      return { ...world, guarded, running, said }
    })

  it.effect("ends as it does, in time", () =>
    Effect.gen(function* () {
      const { guarded, pass, running } = yield* guardedFor(29_000)
      yield* pass(29_100)
      assert.strictEqual((yield* Fiber.join(running))._tag, "Success")
      assert.strictEqual((yield* Effect.exit(guarded(Effect.fail("wrong"))))._tag, "Failure")
    })
  )

  it.effect("is interrupted at the deadline, and then says nothing until it is itself interrupted", () =>
    Effect.gen(function* () {
      const { pass, running, said } = yield* guardedFor(40_000)
      yield* pass(29_100)
      assert.deepStrictEqual(said, [])
      yield* pass(100)
      assert.deepStrictEqual(said, ["interrupted"])
      yield* pass(600_000)
      assert.isUndefined(running.pollUnsafe())
      yield* Fiber.interrupt(running)
    })
  )

  it.effect("goes on past the deadline that a renewal has moved, and is interrupted when a renewal is refused", () =>
    Effect.gen(function* () {
      const { one, pass, said, two, database } = yield* guardedFor(600_000)
      yield* pass(20_000)
      yield* one.refresh
      yield* pass(20_000)
      assert.deepStrictEqual(said, [])
      // As after a jump of the database's clock: nobody can know of it before it asks.
      database.nowMicros += 60_000_000
      yield* two.acquire
      yield* one.refresh
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(said, ["interrupted"])
    })
  )

  it.effect("never begins under a shard that is not held", () =>
    Effect.gen(function* () {
      const { one, pass, two } = yield* cluster
      yield* one.acquire
      const [late, never] = [yield* one.grant, yield* two.grant]
      yield* pass(30_000)
      for (const { guarded } of [late, never]) {
        const waiting = yield* Effect.forkChild(guarded(Effect.die("it began")))
        yield* pass(1_000)
        assert.isUndefined(waiting.pollUnsafe())
        yield* Fiber.interrupt(waiting)
      }
    })
  )
})

describe("runners", () => {
  it.effect("have machine ids that no other has, while they are listed, and are listed while they are heard of", () =>
    Effect.gen(function* () {
      const { one, pass, two } = yield* cluster
      const of = (address: RunnerAddress.RunnerAddress) => Runner.make({ address, groups: ["default"], weight: 1 })
      const register = ({ address, storage }: typeof one) => storage.register(of(address), true)
      assert.deepStrictEqual([yield* register(one), yield* register(two), yield* register(one)], [1, 2, 1])
      yield* one.storage.setRunnerHealth(two.address, false)
      const listed = () =>
        Effect.map(one.storage.getRunners, (all) => all.map(([{ address }, isHealthy]) => [address.host, isHealthy]))
      assert.deepStrictEqual(yield* listed(), [
        ["one", true],
        ["two", false]
      ])
      yield* pass(20_000)
      yield* two.storage.refresh(two.address, [])
      yield* pass(20_000)
      assert.deepStrictEqual(yield* listed(), [["two", false]])
      yield* two.storage.unregister(two.address)
      assert.deepStrictEqual(yield* listed(), [])
      assert.deepStrictEqual([yield* register(two), yield* register(one)], [3, 4])
    })
  )
})
