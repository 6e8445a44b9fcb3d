/**
 * The fast twin of the storages of `effect/cluster` on Postgres: one node that keeps runners, locks of shards and messages for all runners,
 * reached over the network, so that whatever happens to a link happens to it. What it keeps survives its crashes. In a world that has SQL
 * its place is taken by a database server, and the storages are those on Postgres (`SqlStore.ts`).
 *
 * - Locks of shards are rows with the rules of `SqlRunnerStorage` where advisory locks are disabled (`shardLockDisableAdvisory`), by this
 *   node's clock, with the deadline that the loaded version sets for operations on locks, if any (`lockDeadline.ts`); one that is given up does not replace its connection, as it does there. Advisory locks end with their session and are another thing.
 * - Messages are those of `MessageStorage.MemoryDriver`, which every runner reaches as encoded, through a storage of its own: its replies
 *   wake only its own fibers. `withTransaction` is none, as in that driver.
 */
import * as MessageStorage from "effect/cluster/MessageStorage"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as Snowflake from "effect/cluster/Snowflake"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type { Table } from "../../core/ports/Table.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import type { World } from "../run/World.ts"
import * as Calls from "./Calls.ts"
import { lockDeadline } from "./lockDeadline.ts"
import * as SqlStore from "./SqlStore.ts"

const port = 5440

export interface ClusterStoreOptions {
  /** Of the node. Default "store". */
  readonly name?: string
  /** What locks of shards last without a refresh: `shardLockExpiration` of the runners. Default 35 s. */
  readonly expirationMillis?: number
  /** What the node keeps besides messages, as a database of the world's kind, in place of runners and locks: for `FencedStore.ts`. */
  readonly tables?: ReadonlyArray<Table<unknown>>
}

/** Makes the node and starts it: the twin, or a database server if the world has SQL. */
export const start = (
  world: World,
  { expirationMillis = 35_000, name = "store", tables }: ClusterStoreOptions = {}
): SimNode => {
  const { sql } = world.databases
  if (sql !== undefined && tables === undefined) return started(world.addNode(name, sql.make(world), { tags }))
  const kept: Kept = { driver: undefined, locks: new LockTable(Math.ceil(expirationMillis / 1_000) * 1_000) }
  if (tables === undefined) return started(world.addNode(name, serving(kept), { tags }))
  const both = Effect.all([serving(kept), world.databases.make(world, { tables }).program], { concurrency: 2 })
  return started(world.addNode(name, both, { tags }))
}

const tags = ["store", "database"] as const

const started = (node: SimNode): SimNode => {
  node.start()
  return node
}

interface Kept {
  driver: MessageStorage.MemoryDriver["Service"] | undefined
  readonly locks: LockTable
}

const serving = (kept: Kept) =>
  Effect.gen(function* () {
    const { clock } = yield* CurrentNode
    const made = yield* MessageStorage.MemoryDriver
    const { encoded } = (kept.driver ??= made)
    const answerOf = (method: string): Answer => {
      const [service, name] = method.split(".") as [string, string]
      if (service === "runners") {
        return (argument) => {
          const nowMillis = clock.wallMicros() / 1_000
          return Exit.succeed(kept.locks[name as keyof Asked](nowMillis, argument as never))
        }
      }
      const called = encoded[name as keyof Stored] as (
        ...args: ReadonlyArray<unknown>
      ) => Effect.Effect<unknown, unknown>
      return (argument) => Effect.runSyncExit(called(...(argument as ReadonlyArray<unknown>)))
    }
    const answers = new Map<string, Answer>()
    yield* Calls.serve(port, (method, argument) => {
      let answer = answers.get(method)
      if (answer === undefined) answers.set(method, (answer = answerOf(method)))
      return answer(argument)
    })
    return yield* Effect.never
  }).pipe(Effect.provide(MessageStorage.MemoryDriver.layer))

type Answer = (argument: unknown) => Exit.Exit<unknown, unknown>
type Stored = Omit<MessageStorage.Encoded, "withTransaction">
type Asked = Pick<
  LockTable,
  "getRunners" | "register" | "unregister" | "setRunnerHealth" | "acquire" | "refresh" | "release" | "releaseAll"
>

type Storages = Layer.Layer<
  MessageStorage.MessageStorage | RunnerStorage.RunnerStorage,
  never,
  ShardingConfig.ShardingConfig | SimNode
>

/** Both storages, for a runner or a client on a simulated node: on the twin, or on SQL if the world has it. */
export const layer = ({ databases: { sql } }: World, name = "store"): Storages =>
  sql === undefined ? twin(name) : SqlStore.layer(sql.client({ database: name }))

/** Both storages on the twin. */
const twin = (name: string): Storages => {
  const calls = callsOf(name)
  const runners = Layer.effect(
    RunnerStorage.RunnerStorage,
    Effect.gen(function* () {
      const ask = yield* calls
      const config = yield* ShardingConfig.ShardingConfig
      const deadline = lockDeadline(config)
      const call = <A>(method: keyof Asked, argument: unknown = undefined) => ask<A>(`runners.${method}`, argument)
      const bounded = <A>(called: Effect.Effect<A, PersistenceError>) =>
        deadline === undefined
          ? called
          : Effect.timeoutOrElse(called, {
              duration: deadline,
              orElse: () => Effect.fail(lost(`no answer within ${Duration.format(deadline)}`))
            })
      return RunnerStorage.makeEncoded({
        getRunners: Effect.suspend(() => call<Array<readonly [string, boolean]>>("getRunners")),
        register: (address, runner, isHealthy) => call("register", { address, runner, isHealthy }),
        unregister: (address) => call("unregister", { address }),
        setRunnerHealth: (address, isHealthy) => call("setRunnerHealth", { address, isHealthy }),
        acquire: (address, shards) => bounded(call("acquire", { address, shards })),
        refresh: (address, shards) => bounded(call("refresh", { address, shards })),
        release: (address, shard) => bounded(call("release", { address, shard })),
        releaseAll: (address) => bounded(call("releaseAll", { address }))
      })
    })
  )
  return Layer.merge(runners, messages(name))
}

const lost = (why: string) => new PersistenceError({ cause: new Error(why) })
const callsOf = (name: string) => Calls.calling(name, port, lost)

/** That of messages alone, on the twin. */
export const messages = (
  name: string
): Layer.Layer<MessageStorage.MessageStorage, never, ShardingConfig.ShardingConfig | SimNode> =>
  Layer.effect(
    MessageStorage.MessageStorage,
    Effect.gen(function* () {
      const ask = yield* callsOf(name)
      const asked =
        (method: string) =>
        (...args: ReadonlyArray<unknown>) =>
          ask(`messages.${method}`, args)
      const withTransaction: MessageStorage.Encoded["withTransaction"] = (effect) => effect
      // Which methods there are is for the loaded version of `effect/cluster` to say.
      return yield* MessageStorage.makeEncoded(
        new Proxy({ withTransaction } as MessageStorage.Encoded, {
          get: (own, method: keyof MessageStorage.Encoded) => own[method] ?? asked(method)
        })
      )
    })
  ).pipe(Layer.provide(Snowflake.layerGenerator))

interface RunnerRow {
  readonly machineId: number
  readonly runner: string
  readonly isHealthy: boolean
  readonly heartbeatMillis: number
}

interface Of {
  readonly address: string
}

/** Tables `cluster_runners` and `cluster_locks`; every method is one statement, or two in one piece. */
class LockTable {
  readonly #expirationMillis: number
  readonly #runners = new Map<string, RunnerRow>()
  readonly #locks = new Map<string, { readonly address: string; readonly acquiredMillis: number }>()
  #machines = 0

  constructor(expirationMillis: number) {
    this.#expirationMillis = expirationMillis
  }

  getRunners(nowMillis: number): ReadonlyArray<readonly [string, boolean]> {
    const rows = [...this.#runners.values()].filter((row) => row.heartbeatMillis > nowMillis - this.#expirationMillis)
    return rows.map((row) => [row.runner, row.isHealthy])
  }

  register(
    nowMillis: number,
    { address, isHealthy, runner }: Of & { readonly runner: string; readonly isHealthy: boolean }
  ): number {
    // A sequence counts what conflicts too.
    const drawn = ++this.#machines
    const machineId = this.#runners.get(address)?.machineId ?? drawn
    this.#runners.set(address, { machineId, runner, isHealthy, heartbeatMillis: nowMillis })
    return machineId
  }

  unregister(nowMillis: number, { address }: Of): void {
    const expiredMillis = nowMillis - this.#expirationMillis
    for (const [key, row] of this.#runners) {
      if (key === address || row.heartbeatMillis < expiredMillis) this.#runners.delete(key)
    }
  }

  setRunnerHealth(_: number, { address, isHealthy }: Of & { readonly isHealthy: boolean }): void {
    const row = this.#runners.get(address)
    if (row !== undefined) this.#runners.set(address, { ...row, isHealthy })
  }

  acquire(
    nowMillis: number,
    { address, shards }: Of & { readonly shards: ReadonlyArray<string> }
  ): ReadonlyArray<string> {
    const expiredMillis = nowMillis - this.#expirationMillis
    return shards.filter((shard) => {
      const lock = this.#locks.get(shard)
      if (lock !== undefined && lock.address !== address && lock.acquiredMillis >= expiredMillis) return false
      this.#locks.set(shard, { address, acquiredMillis: nowMillis })
      return true
    })
  }

  /** However old they are, as there. */
  refresh(
    nowMillis: number,
    { address, shards }: Of & { readonly shards: ReadonlyArray<string> }
  ): ReadonlyArray<string> {
    const row = this.#runners.get(address)
    if (row !== undefined) this.#runners.set(address, { ...row, heartbeatMillis: nowMillis })
    return shards.filter((shard) => {
      if (this.#locks.get(shard)?.address !== address) return false
      this.#locks.set(shard, { address, acquiredMillis: nowMillis })
      return true
    })
  }

  release(_: number, { address, shard }: Of & { readonly shard: string }): void {
    if (this.#locks.get(shard)?.address === address) this.#locks.delete(shard)
  }

  releaseAll(_: number, { address }: Of): void {
    for (const [shard, lock] of this.#locks) if (lock.address === address) this.#locks.delete(shard)
  }
}
