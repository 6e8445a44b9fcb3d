/**
 * Runners and clients of `effect/cluster`, unmodified, on simulated nodes: the layers that `NodeClusterSocket.layer` has in production, on
 * simulated sockets and a store of `ClusterStore.ts`: the fast twin of the storages on Postgres or, in a world that has SQL, those themselves.
 *
 *   ClusterStore.start(world)
 *   ClusterKit.runner(world, "r1", Counter.toLayer(…)).start()
 *   ClusterKit.client(world, "c", Effect.gen(function* () { const counter = yield* Counter.client … })).start()
 */
import type { MessageStorage } from "effect/cluster/MessageStorage"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SocketRunner from "effect/cluster/SocketRunner"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import { Socket } from "effect/socket/Socket"
import type { SimNode } from "../kernel/SimNode.ts"
import { clockTag } from "../nemesis/kinds/clock.ts"
import { victimTag } from "../nemesis/kinds/process.ts"
import * as SimSocket from "../network/SimSocket.ts"
import * as SimSocketServer from "../network/SimSocketServer.ts"
import { launched } from "../outside/launched.ts"
import { RequestProblem } from "../run/Simulation.ts"
import type { World } from "../run/World.ts"
import * as ClusterStore from "./ClusterStore.ts"
import * as OwnTeardowns from "./ownTeardowns.ts"
import * as SqlStore from "./SqlStore.ts"

const port = 34_431

// Before anything runs: in a run it would be part of the first one.
OwnTeardowns.separate()

/** Where runners and clients keep what they share, and what that gives to handlers. */
export type Stores<S = never> = Layer.Layer<
  MessageStorage | RunnerStorage | S,
  never,
  ShardingConfig.ShardingConfig | SimNode
>

export interface KitOptions {
  /** In place of the defaults of `ShardingConfig`. */
  readonly config?: Partial<ShardingConfig.ShardingConfig["Service"]>
  /** Default: `ClusterStore.layer`. */
  readonly stores?: Stores
  /**
   * How runners and clients reach each other. With "store" only what is persisted arrives, as each reads it from the store, and nobody
   * is asked whether he lives. Default "sockets".
   */
  readonly peers?: "sockets" | "store" | undefined
}

/** What programs find, besides what every node has. */
export type Provided = Sharding.Sharding | MessageStorage | SimNode

/** For the twin, which has no others. Dies with `RequestProblem`. */
export const requireRowLocks = (name: string, config: KitOptions["config"]): void => {
  if (config?.shardLockDisableAdvisory === true) return
  throw new RequestProblem(
    `${name} would take advisory locks, which end with their session and are not simulated: set shardLockDisableAdvisory: true in its config`
  )
}

/** A node with the tag "runner", whose address is its name. Not started. What else its program needs has to come of the stores. */
export const runner: {
  <E>(world: World, name: string, program: Layer.Layer<never, E, Provided>, options?: KitOptions): SimNode
  <E, S>(
    world: World,
    name: string,
    program: Layer.Layer<never, E, Provided | S>,
    options: KitOptions & { readonly stores: Stores<S> }
  ): SimNode
} = <E, S>(
  world: World,
  name: string,
  program: Layer.Layer<never, E, Provided | S>,
  options: KitOptions = {}
): SimNode => {
  const { config, peers } = options
  if (options.stores === undefined && world.databases.sql === undefined) requireRowLocks(name, config)
  const stores = (options.stores ?? ClusterStore.layer(world)) as Stores<S>
  const bySockets = SocketRunner.layer.pipe(
    Layer.provide(RunnerHealth.layerPing.pipe(Layer.provide(Runners.layerRpc))),
    Layer.provide([clientProtocol, SimSocketServer.layer({ port })])
  )
  const cluster = (peers === "store" ? byStore : bySockets).pipe(
    Layer.provideMerge(stores),
    Layer.provide([
      ShardingConfig.layer({ ...config, runnerAddress: Option.some(RunnerAddress.make(name, port)) }),
      RpcSerialization.layerNdjson
    ])
  )
  return world.addNode(name, launched(world, Layer.provide(program, cluster)), {
    tags: ["runner", victimTag, clockTag],
    onExit: { _tag: "Restart", afterMicros: 1_000_000 }
  })
}

export interface ClientOptions extends KitOptions {
  /** The run has stalled where it does not come to its end. Default: no. */
  readonly mustEnd?: boolean
}

/** A node with the tag "client", which runs no entities. Not started. */
export const client = <E>(
  world: World,
  name: string,
  program: Effect.Effect<unknown, E, Provided>,
  options: ClientOptions = {}
): SimNode => {
  const { config, mustEnd = false, peers, stores = ClusterStore.layer(world) } = options
  const bySockets = Layer.provide(SocketRunner.layerClientOnly, clientProtocol)
  const cluster = (peers === "store" ? byStore : bySockets).pipe(
    Layer.provideMerge(SqlStore.patiently(stores)),
    Layer.provide([ShardingConfig.layer({ ...config, runnerAddress: Option.none() }), RpcSerialization.layerNdjson])
  )
  return world.addNode(name, Effect.provide(program, cluster), { tags: ["client"], mustEnd })
}

const byStore = Sharding.layer.pipe(Layer.provide([Runners.layerNoop, RunnerHealth.layerNoop]))

/** That of `NodeClusterSocket`, on simulated sockets. */
const clientProtocol: Layer.Layer<Runners.RpcClientProtocol, never, RpcSerialization.RpcSerialization | SimNode> =
  Layer.effect(
    Runners.RpcClientProtocol,
    Effect.gen(function* () {
      const serialization = yield* RpcSerialization.RpcSerialization
      const context = yield* Effect.context<SimNode>()
      return {
        codecFor: serialization.codecFor,
        make: (address: RunnerAddress.RunnerAddress) =>
          Effect.gen(function* () {
            const socket = yield* SimSocket.make({ host: address.host, port: address.port, openTimeoutMillis: 1_000 })
            return yield* RpcClient.makeProtocolSocket().pipe(
              Effect.provideService(Socket, socket),
              Effect.provideService(RpcSerialization.RpcSerialization, serialization)
            )
          }).pipe(Effect.provideContext(context))
      }
    })
  )
