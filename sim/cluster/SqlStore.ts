/**
 * The storages of `effect/cluster` on Postgres, unmodified, each runner with a pool of its own to one database node: the confirming run of
 * what the fast twin (`ClusterStore.ts`) has found.
 *
 * Locks of shards are rows (`shardLockDisableAdvisory: true`). Advisory locks end with their session, and the sessions of the database in
 * the simulation are one to Postgres: everybody would hold everybody's. The server refuses them.
 */
import type * as MessageStorage from "effect/cluster/MessageStorage"
import type * as RunnerStorage from "effect/cluster/RunnerStorage"
import type * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SimNode } from "../kernel/SimNode.ts"
import * as SimDigest from "../node/SimDigest.ts"

/** Both storages, on a client of one's own. The first to come makes the tables. */
export const layer = (
  client: Layer.Layer<SqlClient, never, SimNode>
): Layer.Layer<
  MessageStorage.MessageStorage | RunnerStorage.RunnerStorage,
  never,
  ShardingConfig.ShardingConfig | SimNode
> =>
  Layer.merge(SqlMessageStorage.layer, Layer.orDie(SqlRunnerStorage.layer)).pipe(
    Layer.provide([client, SimDigest.layer])
  )

/** The same, built anew every second until the database answers: for nodes that no supervisor starts again. */
export const patiently = <A, R>(storages: Layer.Layer<A, never, R>): Layer.Layer<A, never, R> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const scope = yield* Effect.scope
      const attempt = Effect.gen(function* () {
        const own = yield* Scope.fork(scope)
        return yield* Effect.onError(Layer.buildWithScope(Layer.fresh(storages), own), (cause) =>
          Scope.close(own, Exit.failCause(cause))
        )
      })
      return yield* attempt.pipe(Effect.sandbox, Effect.retry(Schedule.spaced("1 second")), Effect.orDie)
    })
  )
