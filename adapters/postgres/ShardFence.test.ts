/** The shards of `core/cluster/ShardFence.ts` in a database that has their two tables and nothing else of ours. */
import { assert, describe, it } from "@effect/vitest"
import * as Runner from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ShardFence from "../../core/cluster/ShardFence.ts"
import { Storage } from "../../core/ports/Storage.ts"
import { database, run, skipped } from "./Database.fixture.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { createSchema } from "./Schema.ts"

const shard = ShardId.make("default", 1)

describe.skipIf(skipped())("fenced shards on Postgres", { timeout: 60_000 }, () => {
  it.live("pass from runner to runner with a higher epoch, which a transaction of the old one notices", () =>
    Effect.gen(function* () {
      const connection = yield* database
      yield* run(connection, ...createSchema(ShardFence.tables))
      const runner = Effect.fnUntraced(function* (name: string) {
        const port = PostgresStorage.layer({ connection, tables: ShardFence.tables })
        const services = yield* Layer.build(
          ShardFence.layer().pipe(Layer.provideMerge(port), Layer.provide(ShardingConfig.layer()))
        )
        const storage = Context.get(services, RunnerStorage.RunnerStorage)
        const address = RunnerAddress.make(name, 1)
        const machine = yield* storage.register(Runner.make({ address, groups: ["default"], weight: 1 }), true)
        const once = Context.get(services, Storage).once
        return { address, machine, once, storage, grant: Context.get(services, ShardFence.ShardFence).of(shard) }
      })
      const [one, two] = [yield* runner("one"), yield* runner("two")]
      assert.deepStrictEqual([one.machine, two.machine], [1, 2])
      const listed = yield* two.storage.getRunners
      assert.deepStrictEqual(
        listed.map(([{ address }]) => address.host),
        ["one", "two"]
      )

      assert.lengthOf(yield* one.storage.acquire(one.address, [shard]), 1)
      assert.lengthOf(yield* two.storage.acquire(two.address, [shard]), 0)
      assert.lengthOf(yield* one.storage.refresh(one.address, [shard]), 1)
      const { fences } = yield* one.grant
      const reading = one.once((transaction) => transaction.count(ShardFence.tables[0]!), { label: "reading", fences })
      assert.strictEqual(yield* reading, 1)

      yield* one.storage.releaseAll(one.address)
      assert.lengthOf(yield* two.storage.acquire(two.address, [shard]), 1)
      assert.strictEqual((yield* two.grant).epoch, 2)
      assert.strictEqual((yield* Effect.flip(reading)).reason._tag, "Fenced")
      assert.lengthOf(yield* one.storage.refresh(one.address, [shard]), 0)
    })
  )
})
