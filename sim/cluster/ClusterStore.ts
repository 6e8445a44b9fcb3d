/**
 * The fast twin of the storages of `effect/cluster` on Postgres: one node that keeps runners, locks of shards and messages for all runners,
 * reached over the network, so that whatever happens to a link happens to it. What it keeps survives its crashes. In a world that has SQL
 * its place is taken by a database server, and the storages are those on Postgres (`SqlStore.ts`).
 *
 * - Locks of shards are rows with the rules of `SqlRunnerStorage` where advisory locks are disabled (`shardLockDisableAdvisory`), by this
 *   node's clock, with the deadline that the loaded version sets for operations on locks, if any (`lockDeadline.ts`); one that is given up
 *   does not replace its connection, as it does there, and an acquisition that fails is not tried again at once. Advisory locks end with their session and are another thing.
 * - Messages have the rules of `SqlMessageStorage` (`MessageTable.ts`), and every runner has a storage of its own before them: its replies
 *   wake only its own fibers. Each operation is one transaction, and one round trip; none is made of several: whoever asks for that
 *   (`withTransaction`) is refused.
 *   `MessageStorage.MemoryDriver` would do more: it takes a second exit of a request, and forgets an interruption once somebody has read it.
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
import { RequestProblem } from "../run/Simulation.ts"
import { onPglite } from "../run/requireSql.ts"
import type { World } from "../run/World.ts"
import * as Calls from "./Calls.ts"
import { lockDeadline } from "./lockDeadline.ts"
import { LockTable } from "./LockTable.ts"
import { MessageTable, UniqueViolation } from "./MessageTable.ts"
import * as SqlStore from "./SqlStore.ts"

const port = 5440

export interface ClusterStoreOptions {
  /** Of the node. Default "store". */
  readonly name?: string
  /** What the node keeps besides messages, as a database of the world's kind, in place of runners and locks: for `FencedStore.ts`. */
  readonly tables?: ReadonlyArray<Table<unknown>>
}

/** Makes the node and starts it: the twin, or a database server if the world has SQL. */
export const start = (world: World, { name = "store", tables }: ClusterStoreOptions = {}): SimNode => {
  const { sql } = world.databases
  if (sql !== undefined && tables === undefined) return started(world.addNode(name, sql.make(world), { tags }))
  const kept: Kept = { messages: new MessageTable(), runners: new LockTable() }
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
  readonly messages: MessageTable
  readonly runners: LockTable
}

const serving = ({ messages, runners }: Kept) =>
  Effect.gen(function* () {
    const { clock } = yield* CurrentNode
    const answerOf = (method: string): Answer => {
      const [service, name] = method.split(".") as [string, string]
      const nowMillis = () => clock.wallMicros() / 1_000
      if (service === "runners") {
        return (argument) => Exit.succeed(runners[name as keyof Asked](nowMillis(), argument as never))
      }
      if (name === "withTransaction") throw new RequestProblem(noTransactions)
      const called = messages[name as keyof Stored] as (...args: ReadonlyArray<unknown>) => unknown
      if (called === undefined)
        throw new Error(`the twin has no ${method}, which the loaded version of effect/cluster calls`)
      return (argument) => saved(() => called.call(messages, nowMillis(), ...(argument as ReadonlyArray<unknown>)))
    }
    const answers = new Map<string, Answer>()
    yield* Calls.serve(port, (method, argument) => {
      let answer = answers.get(method)
      if (answer === undefined) answers.set(method, (answer = answerOf(method)))
      return answer(argument)
    })
    return yield* Effect.never
  })

const noTransactions = `ClusterSchema.WithTransaction makes one transaction of a handler and its reply, and the twin of the storages has none: run it ${onPglite}`

type Answer = (argument: unknown) => Exit.Exit<unknown, unknown>

/** What a key refuses fails whoever asked. */
const saved = (save: () => unknown): Exit.Exit<unknown, PersistenceError> => {
  try {
    return Exit.succeed(save())
  } catch (error) {
    if (!(error instanceof UniqueViolation)) throw error
    return Exit.fail(new PersistenceError({ cause: error }))
  }
}

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

export interface StorageOptions {
  /** The node of the store. Default "store". */
  readonly name?: string
  /** After how long a silence connections to it are kept alive: `keepAlive` of `PgClient`. Default: not at all, as there. */
  readonly keepAliveMillis?: number | undefined
}

/** Both storages, for a runner or a client on a simulated node: on the twin, or on SQL if the world has it. */
export const layer = ({ databases: { sql } }: World, options: StorageOptions = {}): Storages => {
  const { keepAliveMillis, name = "store" } = options
  if (sql === undefined) return twin(options)
  return SqlStore.layer(
    sql.client({ database: name, ...(keepAliveMillis === undefined ? {} : { keepAlive: keepAliveMillis }) })
  )
}

/** Both storages on the twin. */
const twin = (options: StorageOptions): Storages => {
  const calls = callsOf(options)
  const runners = Layer.effect(
    RunnerStorage.RunnerStorage,
    Effect.gen(function* () {
      const ask = yield* calls
      const config = yield* ShardingConfig.ShardingConfig
      const deadline = lockDeadline(config)
      // In whole seconds, as there.
      const expirationMillis = Math.ceil(Duration.toSeconds(config.shardLockExpiration)) * 1_000
      const call = <A>(method: keyof Asked, argument: unknown) => ask<A>(`runners.${method}`, argument)
      const bounded = <A>(called: Effect.Effect<A, PersistenceError>) =>
        deadline === undefined
          ? called
          : Effect.timeoutOrElse(called, {
              duration: deadline,
              orElse: () => Effect.fail(lost(`no answer within ${Duration.format(deadline)}`))
            })
      return RunnerStorage.makeEncoded({
        getRunners: Effect.suspend(() => call<Array<readonly [string, boolean]>>("getRunners", { expirationMillis })),
        register: (address, runner, isHealthy) => call("register", { address, runner, isHealthy }),
        unregister: (address) => call("unregister", { address, expirationMillis }),
        setRunnerHealth: (address, isHealthy) => call("setRunnerHealth", { address, isHealthy }),
        acquire: (address, shards) => bounded(call("acquire", { address, shards, expirationMillis })),
        refresh: (address, shards) => bounded(call("refresh", { address, shards })),
        release: (address, shard) => bounded(call("release", { address, shard })),
        releaseAll: (address) => bounded(call("releaseAll", { address }))
      })
    })
  )
  return Layer.merge(runners, messages(options))
}

const lost = (why: string) => new PersistenceError({ cause: new Error(why) })
const callsOf = ({ keepAliveMillis, name = "store" }: StorageOptions) =>
  Calls.calling(name, port, lost, keepAliveMillis)

/** That of messages alone, on the twin. */
export const messages = (
  options: StorageOptions
): Layer.Layer<MessageStorage.MessageStorage, never, ShardingConfig.ShardingConfig | SimNode> =>
  Layer.effect(
    MessageStorage.MessageStorage,
    Effect.gen(function* () {
      const ask = yield* callsOf(options)
      const asked =
        (method: string) =>
        (...args: ReadonlyArray<unknown>) =>
          ask(`messages.${method}`, args)
      const withTransaction: MessageStorage.Encoded["withTransaction"] = (effect) =>
        Effect.andThen(Effect.orDie(ask("messages.withTransaction", [])), effect)
      // Which methods there are is for the loaded version of `effect/cluster` to say.
      return yield* MessageStorage.makeEncoded(
        new Proxy({ withTransaction } as MessageStorage.Encoded, {
          get: (own, method: keyof MessageStorage.Encoded) => own[method] ?? asked(method)
        })
      )
    })
  ).pipe(Layer.provide(Snowflake.layerGenerator))
