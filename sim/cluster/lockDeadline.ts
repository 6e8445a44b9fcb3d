/**
 * How long an operation on locks of shards may take until `SqlRunnerStorage` gives it up: asked of the version that is loaded, as not every
 * one has such a deadline (https://github.com/Effect-TS/effect/issues/6508). Its refresh is run on a database that never answers, by a clock
 * on which every sleep is over at once; without a deadline it never ends.
 */
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as ShardId from "effect/cluster/ShardId"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import * as Statement from "effect/sql/Statement"
import { stillClock } from "./stillClock.ts"

/** Undefined where the loaded version waits for ever. */
export const lockDeadline = (config: ShardingConfig.ShardingConfig["Service"]): Duration.Duration | undefined => {
  const slept: Array<Duration.Duration> = []
  let isSilent = false
  const answer = () => (isSilent ? Effect.never : Effect.succeed([]))
  const connection: Partial<Connection> = {
    execute: answer,
    executeRaw: answer,
    executeValues: answer,
    executeValuesUnprepared: answer,
    executeUnprepared: answer
  }
  const client = SqlClient.make({
    driver: "silent",
    acquirer: Effect.succeed(connection as Connection),
    compiler: Statement.makeCompilerSqlite(),
    spanAttributes: []
  })
  const clients = Layer.effect(SqlClient.SqlClient, client).pipe(Layer.provide(Reactivity.layer))
  const refreshed = Effect.gen(function* () {
    const storage = yield* RunnerStorage.RunnerStorage
    isSilent = true
    yield* storage.refresh(RunnerAddress.make("probe", 1), [ShardId.make("default", 1)])
  }).pipe(
    Effect.provide(SqlRunnerStorage.layer.pipe(Layer.provide(clients))),
    // It makes a name for each shard.
    Effect.provideService(ShardingConfig.ShardingConfig, { ...config, shardsPerGroup: 1 }),
    Effect.provideService(
      Clock.Clock,
      stillClock((duration) => Effect.sync(() => void slept.push(duration)))
    )
  )
  const exit = Effect.runSyncExit(refreshed)
  if (!isSilent) throw new Error(`SqlRunnerStorage does not start on a database without rows: ${String(exit)}`)
  const deadlines = new Set(slept.map(Duration.toMillis))
  if (deadlines.size > 1) {
    throw new Error(
      `a refresh of SqlRunnerStorage waits for several things (${[...deadlines].join(", ")} ms): which is its deadline?`
    )
  }
  return slept[0]
}
