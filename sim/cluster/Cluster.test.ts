/** `effect/cluster` as it is published, on simulated nodes. */
import { assert, describe, it } from "@effect/vitest"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Singleton from "effect/cluster/Singleton"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import * as ShardFence from "../../core/cluster/ShardFence.ts"
import * as Facts from "../../core/facts/Facts.ts"
import { toCheck } from "../../core/invariants/Invariant.ts"
import { RequestProblem } from "../run/Simulation.ts"
import { World } from "../run/World.ts"
import * as ClusterKit from "./ClusterKit.ts"
import * as ClusterStore from "./ClusterStore.ts"
import * as FencedStore from "./FencedStore.ts"
import { FencedResource, noStaleWrites, OutsideResource } from "../outside/OutsideResource.ts"

const usual = { shardsPerGroup: 12, shardLockDisableAdvisory: true } as const

const sweep = (resource: OutsideResource) =>
  Effect.gen(function* () {
    const { write } = yield* resource.writer("sweep")
    return yield* Effect.forever(Effect.andThen(write("swept"), Effect.sleep("500 millis")))
  })

const fencedSweep = (resource: FencedResource) =>
  Effect.gen(function* () {
    const { epoch } = yield* ShardFence.ofSingleton("sweep")
    const { write } = yield* resource.writer("sweep")
    return yield* Effect.forever(Effect.andThen(write("swept", epoch), Effect.sleep("500 millis")))
  })

/** Two runners with a singleton, which has found its place. */
const settled = ({
  config = usual,
  isFenced = false
}: { config?: ClusterKit.KitOptions["config"]; isFenced?: boolean } = {}) => {
  const world = new World({ seed: "1" })
  const writes: Array<{ readonly node: string; readonly second: number }> = []
  const stale: Array<number> = []
  const refused: Array<number> = []
  const judge = toCheck(noStaleWrites).start()
  world.subscribe((envelope) => {
    const second = envelope.atMicros / 1_000_000
    if (envelope.fact._tag === "Written") writes.push({ node: envelope.node, second })
    if (envelope.fact._tag === "Refused") refused.push(second)
    if (judge.step(envelope) !== undefined) stale.push(second)
  })
  const names = ["r1", "r2"]
  if (isFenced) {
    FencedStore.start(world)
    const stores = FencedStore.layer(world)
    const singleton = Singleton.make("sweep", Effect.scoped(fencedSweep(new FencedResource())))
    for (const name of names) ClusterKit.runner(world, name, singleton, { config, stores }).start()
  } else {
    ClusterStore.start(world)
    const singleton = Singleton.make("sweep", Effect.scoped(sweep(new OutsideResource())))
    for (const name of names) ClusterKit.runner(world, name, singleton, { config }).start()
  }
  world.run("60s")
  const owners = [...new Set(writes.map(({ node }) => node))]
  assert.lengthOf(owners, 1)
  const owner = owners[0]!
  return { world, writes, stale, refused, owner, other: names.find((name) => name !== owner)! }
}

describe("a runner of effect/cluster", () => {
  it("that would take advisory locks, as by default, is refused, and told what to set", () => {
    const world = new World({ seed: "1" })
    const told = /^r1 would take advisory locks, .*set shardLockDisableAdvisory: true/
    assert.throws(() => ClusterKit.runner(world, "r1", Singleton.make("none", Effect.void)), RequestProblem, told)
  })

  it("waits for the locks of another for as long as its own config says that they last", () => {
    const takenSeconds = (["12 seconds", "35 seconds"] as const).map((shardLockExpiration) => {
      const { other, owner, world, writes } = settled({ config: { ...usual, shardLockExpiration } })
      world.node(owner).crash("killed")
      world.run("2m")
      return writes.find(({ node }) => node === other)!.second - 60
    })
    assert.isBelow(takenSeconds[0]!, 20)
    assert.isAbove(takenSeconds[1]!, 25)
  })
})

describe("a singleton of effect/cluster", () => {
  it("runs once, and elsewhere after its runner has crashed for good", () => {
    const { world, writes, stale, owner, other } = settled()
    world.node(owner).crash("killed")
    world.run("2m")
    const later = new Set(writes.filter(({ second }) => second > 100).map(({ node }) => node))
    assert.deepStrictEqual([[...later], stale], [[other], []])
  })

  for (const isFenced of [false, true]) {
    it(`is handed over within seconds when its runner is stopped in order, which comes back${isFenced ? " (fenced)" : ""}`, () => {
      const { world, writes, stale, owner } = settled({ isFenced })
      world.node(owner).stop(15_000_000)
      world.run("60s")
      const seconds = writes.map(({ second }) => second)
      const longestSeconds = Math.max(...seconds.slice(1).map((second, nth) => second - seconds[nth]!))
      assert.deepStrictEqual(stale, [])
      assert.isBelow(longestSeconds, 5)
      assert.isAbove(seconds.at(-1)!, 119)
    })
  }

  it("goes on twice for seconds after a pause longer than its lock (35 s), as long as its store is silent", () => {
    const { world, stale, owner } = settled()
    world.node(owner).pause()
    world.network.partition([owner], ["store"])
    world.run("45s")
    world.node(owner).resume()
    world.run("60s")
    const lastedSeconds = stale.at(-1)! - stale[0]!
    assert.isAbove(lastedSeconds, 8)
    assert.isBelow(lastedSeconds, 12, "an operation on locks is given up after 10 s")
  })

  it("ends as it wakes in the same case with fenced shards: at most what it was about to write arrives, and is refused", () => {
    const { world, writes, stale, refused, owner } = settled({ isFenced: true })
    world.node(owner).pause()
    world.network.partition([owner], ["store"])
    world.run("45s")
    world.node(owner).resume()
    world.run("60s")
    assert.deepStrictEqual(stale, [])
    assert.isAtMost(refused.length, 1)
    assert.isAbove(writes.at(-1)!.second, 164, "its successor writes on")
  })

  it("stays where it is when its store crashes and is back in seconds: the store has kept who has the lock", () => {
    const { world, writes, stale, owner } = settled()
    world.node("store").crash("killed")
    world.run("5s")
    world.node("store").start()
    world.run("60s")
    const later = new Set(writes.filter(({ second }) => second > 70).map(({ node }) => node))
    assert.deepStrictEqual([[...later], stale], [[owner], []])
  })

  it("costs the same digest whatever ran before in the process", () => {
    const digests = [settled(), settled()].map(({ world }) => world.kernel.facts.digest.value)
    assert.strictEqual(digests[0], digests[1])
  })
})

const Counter = Entity.make("Counter", [Rpc.make("Increment", { success: Schema.Int })])
const task = { payload: { id: Schema.String }, primaryKey: ({ id }: { readonly id: string }) => id }
const Work = Entity.make("Work", [
  Rpc.make("Do", task).annotate(ClusterSchema.Persisted, true),
  Rpc.make("Once", task).annotate(ClusterSchema.Persisted, true).annotate(ClusterSchema.WithTransaction, true)
])
const Commission = Entity.make("Commission", [Rpc.make("Give")])

describe("an entity of effect/cluster", () => {
  it("answers clients on other nodes, in one place for each id", () => {
    const world = new World({ seed: "1" })
    const answers: Array<unknown> = []
    world.subscribe(({ fact }) => {
      if (fact._tag === "Counted") answers.push((fact as unknown as { counts: unknown }).counts)
    })
    ClusterStore.start(world)
    const counting = Counter.toLayer(
      Effect.sync(() => {
        let count = 0
        return Counter.of({ Increment: () => Effect.sync(() => ++count) })
      })
    )
    for (const name of ["r1", "r2"]) ClusterKit.runner(world, name, counting, { config: usual }).start()
    const asking = Effect.gen(function* () {
      const clientOf = yield* Counter.client
      const ask = (id: string) => Effect.retry(clientOf(id).Increment(), { times: 20 })
      yield* Effect.sleep("30 seconds")
      const counts = yield* Effect.forEach(["a", "b", "c", "a", "b", "a"], ask)
      yield* Facts.emit({ _tag: "Counted", counts } as never)
    })
    ClusterKit.client(world, "c1", asking, { config: usual }).start()
    world.run("60s")
    assert.deepStrictEqual(answers, [[1, 1, 1, 2, 2, 3]])
  })

  it("that wants one transaction of a handler and its reply is refused where there are none, and told where there are", () => {
    const world = new World({ seed: "1" })
    ClusterStore.start(world)
    const working = Work.toLayer({ Do: () => Effect.void, Once: () => Effect.void })
    ClusterKit.runner(world, "r1", working, { config: usual }).start()
    const asking = Effect.flatMap(Work.client, (work) => work("w").Once({ id: "1" }))
    ClusterKit.client(world, "c1", asking, { config: usual }).start()
    assert.throws(() => world.run("30s"), RequestProblem, /^ClusterSchema.WithTransaction .*--storage pglite/)
  })

  it("interrupts what it has asked for, though another runner was killed while it took down one of its kind", () => {
    const world = new World({ seed: "1" })
    const became: Array<unknown> = []
    world.subscribe(({ fact }) => {
      if (fact._tag === "Became") became.push((fact as unknown as { what: unknown }).what)
    })
    const say = (what: string) => Facts.emit({ _tag: "Became", what } as never)
    ClusterStore.start(world)
    const working = Work.toLayer({
      Do: () => Effect.onExit(Effect.sleep("30 seconds"), ({ _tag }) => say(`the work: ${_tag}`)),
      Once: () => Effect.void
    })
    const commissioning = Commission.toLayer(
      Effect.map(Work.client, (work) => Commission.of({ Give: () => Effect.orDie(work("w").Do({ id: "1" })) }))
    )
    const program = Layer.merge(working, commissioning)
    for (const name of ["r1", "r2"]) ClusterKit.runner(world, name, program, { config: usual }).start()
    const asking = Effect.gen(function* () {
      const commissions = yield* Commission.client
      yield* Effect.sleep("60 seconds")
      yield* Effect.timeoutOption(commissions("c").Give(), "5 seconds")
      yield* say("given up")
    })
    ClusterKit.client(world, "c1", asking, { config: usual }).start()
    world.run("10s")
    world.node("r1").stop(15_000_000)
    world.run("1ms")
    world.node("r1").crash("killed")
    world.run("2m")
    assert.deepStrictEqual(became, ["given up", "the work: Failure"])
  })
})
