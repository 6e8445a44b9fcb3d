/**
 * A store for the shards of `core/cluster/ShardFence.ts`: messages on the twin of `ClusterStore.ts`, runners and leases in a database on the
 * same node, of the kind that the world has.
 *
 *   FencedStore.start(world)
 *   ClusterKit.runner(world, "r1", Counter.toLayer(…), { stores: FencedStore.layer(world) }).start()
 */
import * as Layer from "effect/Layer"
import * as ShardFence from "../../core/cluster/ShardFence.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import type { World } from "../run/World.ts"
import type { Stores } from "./ClusterKit.ts"
import * as ClusterStore from "./ClusterStore.ts"

/** Makes the node and starts it. */
export const start = (world: World, name = "store"): SimNode =>
  ClusterStore.start(world, { name, tables: ShardFence.tables })

/** Both storages, and what handlers have of their shards. */
export const layer = (
  { databases }: World,
  options: ClusterStore.StorageOptions = {}
): Stores<ShardFence.ShardFence> => {
  const leases = databases.layer({ database: options.name ?? "store" })
  return Layer.merge(ClusterStore.messages(options), Layer.provide(ShardFence.layer(), leases))
}
