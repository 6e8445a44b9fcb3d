/** `effect/cluster` on its own storages for Postgres, on simulated nodes. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Entity from "effect/cluster/Entity"
import * as Singleton from "effect/cluster/Singleton"
import * as Effect from "effect/Effect"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { boot } from "../../adapters/cli/bootPglite.ts"
import * as Facts from "../../core/facts/Facts.ts"
import { toCheck } from "../../core/invariants/Invariant.ts"
import { World } from "../run/World.ts"
import type { Databases } from "../storage/Databases.ts"
import * as ClusterKit from "./ClusterKit.ts"
import * as ClusterStore from "./ClusterStore.ts"
import { answered } from "../../scenarios/cluster/entity.ts"
import { type Packet, pass, reset } from "../network/Network.ts"
import { noStaleWrites, OutsideResource, type Written } from "../outside/OutsideResource.ts"
import { sameLocks, sameMessages } from "./StoreTwin.fixture.ts"

let databases: Databases
beforeAll(async () => {
  databases = await boot()
}, 60_000)

const config = { shardsPerGroup: 12, shardLockDisableAdvisory: true } as const

const sweep = (resource: OutsideResource) =>
  Effect.gen(function* () {
    const { write } = yield* resource.writer("sweep")
    return yield* Effect.forever(Effect.andThen(write("swept"), Effect.sleep("500 millis")))
  })

/** A runner with the singleton is paused for longer than its locks last, and wakes up to a database that is silent. */
const pausedAndCutOff = (seed: string) => {
  const world = new World({ seed, databases })
  const stale: Array<number> = []
  const judge = toCheck(noStaleWrites).start()
  const activated: Array<string> = []
  world.subscribe((envelope) => {
    if (envelope.fact._tag === "Activated") activated.push(envelope.node)
    if (judge.step(envelope) !== undefined) stale.push(envelope.atMicros / 1_000_000)
  })
  ClusterStore.start(world)
  const singleton = Singleton.make("sweep", Effect.scoped(sweep(new OutsideResource())))
  for (const name of ["r1", "r2"]) ClusterKit.runner(world, name, singleton, { config }).start()
  world.run("40s")
  const first = activated.at(-1)!
  world.node(first).pause()
  world.network.partition([first], ["store"])
  world.run("45s")
  world.node(first).resume()
  world.run("30s")
  return { stale, digest: world.kernel.facts.digest.value }
}

describe("a singleton of effect/cluster on SqlRunnerStorage", () => {
  it("goes on twice for seconds after a pause longer than its lock (35 s), as on the twin; whatever ran before, with the same digest", () => {
    const [first, other, again] = ["1", "2", "1"].map(pausedAndCutOff)
    const lastedSeconds = first!.stale.at(-1)! - first!.stale[0]!
    assert.isAbove(lastedSeconds, 8)
    assert.isBelow(lastedSeconds, 12, "an operation on locks is given up after 10 s")
    assert.deepStrictEqual(again, first)
    assert.notStrictEqual(other!.digest, first!.digest)
  })
})

const Counter = Entity.make("Counter", [Rpc.make("Increment", { success: Schema.Int })])

describe("an entity of effect/cluster on SqlMessageStorage", () => {
  it("answers clients that came before the database, in one place for each id", () => {
    const world = new World({ seed: "1", databases })
    const answers: Array<unknown> = []
    world.subscribe(({ fact }) => {
      if (fact._tag === "Counted") answers.push((fact as unknown as { counts: unknown }).counts)
    })
    ClusterStore.start(world).crash("not there yet")
    const counting = Counter.toLayer(
      Effect.sync(() => {
        let count = 0
        return Counter.of({ Increment: () => Effect.sync(() => ++count) })
      })
    )
    for (const name of ["r1", "r2"]) ClusterKit.runner(world, name, counting, { config }).start()
    const asking = Effect.gen(function* () {
      const clientOf = yield* Counter.client
      const ask = (id: string) => Effect.retry(clientOf(id).Increment(), { times: 20 })
      yield* Effect.sleep("15 seconds")
      const counts = yield* Effect.forEach(["a", "b", "c", "a", "b", "a"], ask)
      yield* Facts.emit({ _tag: "Counted", counts } as never)
    })
    ClusterKit.client(world, "c1", asking, { config }).start()
    world.run("12s")
    world.node("store").start()
    world.run("30s")
    assert.deepStrictEqual(answers, [[1, 1, 1, 2, 2, 3]])
  })
})

describe("an entity on the SQL storages", () => {
  it("never tells its client what it did when the answer to COMMIT is lost, with which its reply was saved", () => {
    const world = new World({ seed: "1", databases })
    answered.build(world, { runners: 2 })
    const told = new Map<string, number>()
    let runner: string | undefined
    let isCut = false
    world.subscribe(({ fact, node }) => {
      if (fact._tag === "Written" && (fact as Written).message === "m10") runner = node
      if (fact._tag === "Asked" || fact._tag === "Answered") told.set(fact._tag, (told.get(fact._tag) ?? 0) + 1)
    })
    const cut = ({ message, source, target }: Packet) => {
      const { bytes } = (message ?? {}) as { readonly bytes?: Uint8Array }
      if (isCut || source !== "store" || target !== runner || bytes === undefined) return pass
      isCut = Buffer.from(bytes).includes("COMMIT")
      return isCut ? reset : pass
    }
    world.network.addRule({ fault: "the answer to a COMMIT is lost", onPacket: cut })
    world.run("4m")
    assert.isTrue(isCut)
    assert.deepStrictEqual(Object.fromEntries(told), { Asked: 40, Answered: 39 })
  })

  it("never tells its client, nor does it again, when its reply could not be saved in five tries, for a second", () => {
    const world = new World({ seed: "1", databases })
    answered.build(world, { runners: 2 })
    let runner: string | undefined
    let [tries, answers, done] = [0, 0, 0]
    world.subscribe(({ fact, node }) => {
      if (fact._tag === "Answered") answers++
      if (fact._tag !== "Written" || (fact as Written).message !== "m10") return
      runner = node
      done++
    })
    const cut = ({ message, source, target }: Packet) => {
      const { bytes } = (message ?? {}) as { readonly bytes?: Uint8Array }
      if (source !== "store" || target !== runner || tries === 5) return pass
      if (bytes === undefined || !Buffer.from(bytes).includes("BEGIN")) return pass
      tries++
      return reset
    }
    world.network.addRule({ fault: "the answer to a BEGIN is lost", onPacket: cut })
    world.run("14m")
    assert.deepStrictEqual({ tries, answers, done }, { tries: 5, answers: 39, done: 1 })
  })
})

describe("the fast twin, whatever is asked of it, says what the storages on Postgres say", () => {
  sameLocks(() => databases)
  sameMessages(() => databases)
})
