/**
 * Fenced shards for programs on `effect/cluster`: its `RunnerStorage` on leases of the storage port, and for handlers the epoch of their
 * shard, which they pass to what they write.
 *
 * - C1 The epoch of a shard rises whenever it is acquired. A resource that refuses what is lower than the highest that it has seen takes
 *   nothing from an activation after a later one has written.
 * - C2 Under `guarded` nothing begins, and nothing goes on, later than R after the last good renewal was sent, however silent the store
 *   is: what runs is interrupted. The process may be paused just then, or its processor slow; that is what the epoch is for.
 * - C3 A shard whose deadline has passed is given up at the next refresh, without asking the store.
 *
 *   const counters = Counter.toLayer(Effect.gen(function* () {
 *     const { epoch, guarded } = yield* ShardFence.ofEntity
 *     return Counter.of({ Increment: () => guarded(table.increment(epoch)) })
 *   }))
 */
import * as ClusterError from "effect/cluster/ClusterError"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import { CurrentAddress } from "effect/cluster/Entity"
import * as EntityId from "effect/cluster/EntityId"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import type * as ShardId from "effect/cluster/ShardId"
import { Sharding } from "effect/cluster/Sharding"
import { ShardingConfig } from "effect/cluster/ShardingConfig"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { WorkflowInstance } from "effect/workflow/WorkflowEngine"
import { assert } from "../assert.ts"
import * as Lease from "../lease/Lease.ts"
import { leaseStorage } from "../lease/LeaseStorage.ts"
import { type Fence, leases, type Storage } from "../ports/Storage.ts"
import type { Table } from "../ports/Table.ts"
import * as RunnerRows from "./RunnerRows.ts"
import * as ShardLeases from "./ShardLeases.ts"

/** What its database must have. */
export const tables = [leases, RunnerRows.runners] as unknown as ReadonlyArray<Table<unknown>>

/** What an activation has of its shard. It stays what it is: another epoch is another activation's. */
export interface ShardGrant {
  /** From 1; 0 when the shard was not held, so that nothing may be written. */
  readonly epoch: number
  /** For transactions of the storage port: they are refused as `Fenced` when the epoch is not that of the lease any more. */
  readonly fences: ReadonlyArray<Fence>
  /** Until the deadline, on the monotonic clock; not positive when it has passed or the shard is lost. */
  readonly remainingMicrosUnsafe: () => number
  /**
   * Interrupts the effect when the deadline passes or the shard is found lost, and does not begin it later. It then never ends by itself,
   * so that a handler answers nothing and `Sharding` moves its message: it interrupts what waits.
   */
  readonly guarded: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export class ShardFence extends Context.Service<
  ShardFence,
  {
    /** What this runner has of the shard now. */
    readonly of: (shard: ShardId.ShardId) => Effect.Effect<ShardGrant>
  }
>()("stormglass/core/cluster/ShardFence") {}

/** For the activation of an entity: to be asked once, where its handlers are built. */
export const ofEntity: Effect.Effect<ShardGrant, never, ShardFence | CurrentAddress> = Effect.gen(function* () {
  const { shardId } = yield* CurrentAddress
  return yield* (yield* ShardFence).of(shardId)
})

/** For a run of the singleton of that name and group: to be asked once, when it begins. */
export const ofSingleton = (
  name: string,
  options: { readonly shardGroup?: string | undefined } = {}
): Effect.Effect<ShardGrant, never, ShardFence | Sharding> =>
  Effect.gen(function* () {
    const { getShardId } = yield* Sharding
    return yield* (yield* ShardFence).of(getShardId(EntityId.make(name), options.shardGroup ?? "default"))
  })

/** For a run of the workflow: to be asked once, where it begins, for all of its activities. */
export const ofWorkflow: Effect.Effect<ShardGrant, never, ShardFence | Sharding | WorkflowInstance> = Effect.gen(
  function* () {
    const { executionId, workflow } = yield* WorkflowInstance
    const { getShardId } = yield* Sharding
    const entity = EntityId.make(executionId)
    const shardGroup = Context.get(workflow.annotations, ClusterSchema.ShardGroup)(entity)
    return yield* (yield* ShardFence).of(getShardId(entity, shardGroup))
  }
)

export interface ShardFenceOptions {
  /** Of the keys of the leases: clusters that share a database have different ones. Default "cluster". */
  readonly prefix?: string
}

/**
 * In place of `SqlRunnerStorage.layer`. T is the `shardLockExpiration` of the runners, which must be the same for all of them; advisory
 * locks and their settings are not used.
 */
export const layer = (
  options: ShardFenceOptions = {}
): Layer.Layer<ShardFence | RunnerStorage.RunnerStorage, never, Storage | ShardingConfig> =>
  Layer.effectContext(make(options))

const make = Effect.fnUntraced(function* ({ prefix = "cluster" }: ShardFenceOptions) {
  const { shardLockExpiration } = yield* ShardingConfig
  const profile = ShardLeases.profileOf(Duration.toMillis(shardLockExpiration))
  const problems = Lease.problems(profile)
  assert(problems.length === 0, `shardLockExpiration: ${problems.join("; ")}`)
  const { durationMillis } = profile

  const { once } = yield* leaseStorage
  const shards = yield* ShardLeases.make(once, profile)
  const keyOf = (shard: string) => `${prefix}/${shard}`
  const keysOf = (shards: ReadonlyArray<string>) => shards.map(keyOf)
  const shardsOf = (keys: ReadonlyArray<string>) => keys.map((key) => key.slice(prefix.length + 1))
  const { refail } = ClusterError.PersistenceError

  const storage = RunnerStorage.makeEncoded({
    getRunners: refail(RunnerRows.listed(once, durationMillis)),
    register: (address, runner, isHealthy) => refail(RunnerRows.register(once, { address, runner, isHealthy })),
    unregister: (address) => refail(RunnerRows.unregister(once, address, durationMillis)),
    setRunnerHealth: (address, isHealthy) => refail(RunnerRows.setHealth(once, address, isHealthy)),
    acquire: (address, asked) => refail(Effect.map(shards.acquire(address, keysOf(asked)), shardsOf)),
    refresh: (address, asked) => {
      const beat = RunnerRows.beat(once, address)
      if (asked.length === 0) return refail(Effect.as(beat, []))
      return refail(Effect.map(shards.renew(address, keysOf(asked), beat), shardsOf))
    },
    release: (address, shard) => refail(shards.release(address, [keyOf(shard)])),
    releaseAll: (address) => refail(shards.release(address, "all"))
  })
  const fence = ShardFence.of({
    of: (shard) =>
      Effect.sync(() => {
        const hold = shards.find(keyOf(shard.toString()))
        return hold === undefined ? none : grantOf(hold, shards)
      })
  })
  return Context.make(RunnerStorage.RunnerStorage, storage).pipe(Context.add(ShardFence, fence))
})

const none: ShardGrant = { epoch: 0, fences: [], remainingMicrosUnsafe: () => 0, guarded: () => Effect.never }

function grantOf(hold: ShardLeases.Hold, { remainingMicrosUnsafe }: ShardLeases.ShardLeases): ShardGrant {
  const lost = Effect.as(Deferred.await(hold.lost), Option.none<never>())
  return {
    epoch: hold.fence.epoch,
    fences: [hold.fence],
    remainingMicrosUnsafe: () => remainingMicrosUnsafe(hold),
    guarded: (effect) =>
      Effect.suspend(() =>
        remainingMicrosUnsafe(hold) <= 0
          ? Effect.never
          : Effect.flatMap(Effect.raceFirst(Effect.asSome(effect), lost), (ended) =>
              ended._tag === "Some" ? Effect.succeed(ended.value) : Effect.never
            )
      )
  }
}
