/**
 * The database as a simulated node: the storage model behind connections, with a clock, timeouts and faults of its own.
 *
 * - D1 What is committed survives every crash and restart of the node; nothing else does.
 * - D2 The database's time is its node's clock: it may be wrong, drift and jump, and only `now()` and `clock_timestamp()` notice.
 *   A fault of it has taken effect when a statement uses a time that it changed.
 * - D3 A client that fell silent keeps its locks until a timeout ends its transaction. A backend that is busy or waits does
 *   not notice that its client is gone: it finishes what it has received, and then ends.
 * - D4 Every fault strikes by (connection, nth request), so that taking one away changes no other.
 * - D5 A failover is a crash after which a replica takes over that had not yet heard of the last commits: they are undone
 *   by a commit of their own when it starts, so that who folds the commits knows what is there. No promise that a commit is
 *   made on outlives it, fences included.
 * - D6 A full disk fails statements that insert or update, and their transactions with them; nothing else notices.
 */
import * as Effect from "effect/Effect"
import type { Committed } from "../../core/facts/Envelope.ts"
import type { DomainFact } from "../../core/facts/Facts.ts"
import { idleInTransactionTimeoutMillis, lockTimeoutMillis, statementTimeoutMillis } from "../../core/Limits.ts"
import { value } from "../../core/ports/Condition.ts"
import {
  Deadlock,
  type Reason,
  SerializationFailure,
  type Statement,
  Timeout,
  Unavailable
} from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import type { Event } from "../kernel/EventHeap.ts"
import { FactKind } from "../kernel/FactStream.ts"
import { epochMicros } from "../kernel/NodeClock.ts"
import { CurrentNode, type Program, type SimNode } from "../kernel/SimNode.ts"
import type { Hazards } from "../nemesis/Hazards.ts"
import { type End, type Handlers, listen } from "../network/Connection.ts"
import type { Network } from "../network/Network.ts"
import { type Commit, Engine } from "./Engine.ts"
import type { StoredRow } from "./Evaluate.ts"
import { FeedServer } from "./FeedServer.ts"
import type { CommitOutcome, Outcome, Session } from "./Session.ts"
import type { Wait } from "./Transaction.ts"
import {
  type Command,
  type Reply,
  type Request,
  type ToClient,
  type ToDatabase,
  cancelBytes,
  databasePort,
  messageBytes,
  requestBytes
} from "./Wire.ts"

export interface DatabaseOptions {
  readonly tables: ReadonlyArray<Table<unknown>>
  readonly statementTimeoutMillis: number
  readonly lockTimeoutMillis: number
  readonly idleInTransactionTimeoutMillis: number
  /** How long a statement waits for a lock before it looks for a cycle; 1 s as in Postgres. */
  readonly deadlockTimeoutMillis: number
  readonly sessionsMax: number
  /** A connection without traffic is probed this often. */
  readonly keepAliveMillis: number
}

export const defaultOptions: Omit<DatabaseOptions, "tables"> = {
  statementTimeoutMillis,
  lockTimeoutMillis,
  idleInTransactionTimeoutMillis,
  deadlockTimeoutMillis: 1_000,
  sessionsMax: 100,
  keepAliveMillis: 30_000
}

/** A replica that takes over may lack commits as old as this. */
export const replicaLagMicrosMax = 5_000_000

/** A slow answer of the database takes at most so much longer. */
export const latencyMicrosMax = 900_000

/** The parts of a world that a database needs. */
export interface DatabaseWorld {
  readonly network: Network
  readonly hazards: Hazards
}

export class SimDatabase {
  readonly engine: Engine
  readonly world: DatabaseWorld
  readonly options: DatabaseOptions
  /** What its node runs. */
  readonly program: Program
  readonly backends = new Map<Session, Backend>()
  readonly feed: FeedServer
  #node: SimNode | undefined
  #stopListening: (() => void) | undefined
  /** The commits that a replica may not have heard of, with when they were made. */
  readonly #tail: Array<{ readonly atMicros: number; readonly commit: Commit }> = []

  constructor(world: DatabaseWorld, options: Partial<DatabaseOptions> & Pick<DatabaseOptions, "tables">) {
    this.world = world
    this.options = { ...defaultOptions, ...options }
    this.feed = new FeedServer(this)
    this.engine = new Engine({
      tables: this.options.tables,
      // What is written before the first start is written by whoever sets the scene, at the world's time.
      clockMicros: () => this.#node?.clock.wallMicros() ?? epochMicros + world.network.kernel.nowMicros,
      clockSettings: () => this.#node?.clock.settings ?? 0,
      onTimeUsed: (settings) => this.#node?.clock.usedWall(settings),
      onCommit: (commit) => this.#committed(commit),
      onWait: (session, wait, blockers) => this.backends.get(session)?.waits(wait, blockers.length),
      onGranted: (session, wait) => this.backends.get(session)?.granted(wait)
    })
    this.program = Effect.flatMap(CurrentNode, (node) =>
      Effect.suspend(() => {
        this.#boot(node)
        return Effect.never
      })
    )
  }

  /** Dies before the node was started. */
  get node(): SimNode {
    if (this.#node === undefined) throw new Error("the database has not been started")
    return this.#node
  }

  /** What is committed, for those who inspect a run. */
  committed(table: string): ReadonlyArray<StoredRow> {
    return this.engine.committed(table)
  }

  /** Commits a row before the story begins. */
  place(label: string, { name }: Table<unknown>, row: StoredRow): void {
    const session = this.engine.open()
    session.begin({ label, isolation: "read committed" })
    const values = Object.fromEntries(Object.entries(row).map(([column, of]) => [column, value(of)]))
    session.execute({ _tag: "Insert", table: name, rows: [values], onConflict: undefined }, () => undefined)
    session.commit()
    session.terminate()
  }

  #boot(node: SimNode): void {
    this.#node = node
    this.engine.restart()
    this.backends.clear()
    const failover = this.world.hazards.strike("storage/failover", `${node.name}/${node.incarnation}`, 0)
    if (failover !== undefined) this.#loseTail((failover.parameters["millis"] ?? 0) * 1_000)
    this.#listen(node)
  }

  #listen(node: SimNode): void {
    this.#stopListening?.()
    this.#stopListening = listen(this.world.network, node, databasePort, (end) => this.#accept(end))
    this.feed.open(node)
  }

  #accept(end: End): Handlers {
    const backend = new Backend(this, end)
    if (this.backends.size >= this.options.sessionsMax) {
      backend.fatal(new Unavailable({ detail: "too many clients already" }))
    } else backend.open()
    return { onMessage: (message: ToDatabase) => backend.receive(message), onClose: () => backend.left() }
  }

  /** What was committed within so long of the last commit of all never was, that one included. */
  #loseTail(lagMicros: number): void {
    const last = this.#tail.at(-1)
    if (last === undefined) return
    const first = this.#tail.findIndex(({ atMicros }) => atMicros >= last.atMicros - lagMicros)
    const lost = this.#tail.splice(first).map(({ commit }) => commit)
    this.world.network.kernel.facts.effect("storage/failover", this.#node)
    this.engine.revert(lost, "storage/failover")
    this.feed.log.fork()
  }

  /** What follows, locks set free included, happens because of this commit. */
  #committed(commit: Commit): void {
    const { changes, fences, label, transactionId } = commit
    const { facts, nowMicros } = this.world.network.kernel
    while (this.#tail.length > 0 && this.#tail[0]!.atMicros < nowMicros - replicaLagMicrosMax) this.#tail.shift()
    this.#tail.push({ atMicros: nowMicros, commit })
    facts.cause = facts.tell<Committed>(this.#node, { _tag: "Committed", label, transactionId, fences, changes })
    this.feed.committed(commit)
  }
}

type Execute = Extract<Command, { readonly _tag: "Execute" }>

interface Lock {
  readonly backend: Backend
  readonly wait: Wait
}

const opened = new FactKind<Backend>(
  "SessionOpened",
  (session, _second, { client }) => ({ _tag: "SessionOpened", session, client }) as DomainFact
)

const closed = new FactKind<Backend>(
  "SessionClosed",
  (session, _second, { client }) => ({ _tag: "SessionClosed", session, client }) as DomainFact
)

const lockWaited = new FactKind<Lock>(
  "LockWaited",
  (session, blockers, lock) => ({ _tag: "LockWaited", session, blockers, ...describeLock(lock) }) as DomainFact
)

const lockGranted = new FactKind<Lock>(
  "LockGranted",
  (session, releasedBy, lock) => ({ _tag: "LockGranted", session, releasedBy, ...describeLock(lock) }) as DomainFact
)

/** What a fault put in the place of a statement. */
export const errorInjected = new FactKind<string>(
  "StorageErrorInjected",
  (session, nth, error) => ({ _tag: "StorageErrorInjected", session, nth, error }) as DomainFact,
  (error) => error
)

/** The server process of one connection. */
class Backend {
  readonly client: string
  readonly #database: SimDatabase
  readonly #end: End
  readonly #session: Session
  /** Names the connection to the hazards: "n1>database/3". */
  readonly #subject: string
  #request: Request | undefined
  /** Of the last statement of the present request. */
  #outcome: Outcome = nothing
  /** The fact because of which the present request goes on. */
  #cause = 0
  #startedMicros = 0
  #timers: Array<Event> = []
  #idleTimer: Event | undefined
  #lastUsedMicros = 0
  #isClientGone = false
  #isOver = false

  constructor(database: SimDatabase, end: End) {
    this.#database = database
    this.#end = end
    this.client = end.link.target
    this.#session = database.engine.open()
    this.#subject = `${end.link.target}>${end.link.source}/${end.connection}`
  }

  open(): void {
    this.#database.backends.set(this.#session, this)
    this.#emit(opened, 0, this)
    this.#lastUsedMicros = this.#nowMicros
    this.#keepAlive()
  }

  receive(message: ToDatabase): void {
    if (this.#isOver) return
    this.#lastUsedMicros = this.#nowMicros
    this.#end.consumed(message._tag === "Cancel" ? cancelBytes : requestBytes)
    if (message._tag === "Cancel") {
      // The client has stopped listening: any reason will do.
      if (this.#request?.nth === message.nth) this.#session.cancel(new Timeout({ limit: "statement" }))
      return
    }
    this.#request = message
    this.#outcome = nothing
    this.#cause = this.#facts.cause
    this.#startedMicros = this.#nowMicros
    if (!this.#database.world.hazards.isAnyActive) return this.#perform(message, 0)
    this.#suffer(message)
  }

  /** The client closed the connection, or it broke. Noticed at once only by a backend that has nothing to do. */
  left(): void {
    this.#isClientGone = true
    if (this.#request === undefined) this.#close()
  }

  /** Ends the session and resets the connection, without a word. */
  cut(): void {
    this.#close()
    this.#end.abort()
  }

  /** Ends the session and says why. */
  fatal(reason: Reason): void {
    this.#send({ _tag: "Fatal", reason }, reason._tag)
    this.#close()
    this.#end.close()
  }

  waits(wait: Wait, blockers: number): void {
    this.#emit(lockWaited, blockers, { backend: this, wait })
    const { lockTimeoutMillis: lock, statementTimeoutMillis: statement, deadlockTimeoutMillis } = this.#database.options
    const elapsed = this.#nowMicros - this.#startedMicros
    this.#timers.push(
      this.#after(lock * 1_000, () => this.#session.cancel(new Timeout({ limit: "lock" }))),
      this.#after(deadlockTimeoutMillis * 1_000, () => this.#database.engine.checkDeadlock(this.#session)),
      this.#after(statement * 1_000 - elapsed, () => this.#session.cancel(new Timeout({ limit: "statement" })))
    )
  }

  granted(wait: Wait): void {
    this.#cause = this.#emit(lockGranted, wait.releasedBy?.id ?? 0, { backend: this, wait })
    this.#cancelTimers()
  }

  get #facts() {
    return this.#database.world.network.kernel.facts
  }

  get #nowMicros(): number {
    return this.#database.node.clock.monotonicMicros()
  }

  /** Faults that strike a request as it arrives. */
  #suffer(request: Request): void {
    const { hazards } = this.#database.world
    const { nth, commands } = request
    if (
      this.#session.state === "in transaction" &&
      hazards.hit("storage/idle-timeout", this.#subject, nth) !== undefined
    ) {
      return this.fatal(new Timeout({ limit: "idle-in-transaction" }))
    }
    if (
      commands.some(({ _tag }) => _tag === "Commit") &&
      hazards.hit("storage/cut-before-commit", this.#subject, nth) !== undefined
    ) {
      return this.cut()
    }
    if (hazards.hit("storage/latency", this.#subject, nth) === undefined) return this.#perform(request, 0)
    const micros = Math.ceil(hazards.fraction("storage/latency", this.#subject, nth) ** 2 * latencyMicrosMax)
    const limitMicros = this.#database.options.statementTimeoutMillis * 1_000
    const isStatement = commands.some(({ _tag }) => _tag === "Execute")
    if (micros < limitMicros || !isStatement) this.#after(micros, () => this.#perform(request, 0))
    else this.#after(limitMicros, () => this.#injectFailure(request, new Timeout({ limit: "statement" })))
  }

  #perform(request: Request, index: number): void {
    const command = request.commands[index]!
    switch (command._tag) {
      case "Begin":
        this.#session.begin({ label: request.label, isolation: command.isolation, project: command.project })
        return this.#next(request, index, undefined)
      case "Execute":
        return this.#execute(request, index, command)
      case "Commit":
        return this.#commit(request, index)
      case "Rollback":
        this.#session.rollback()
        return this.#next(request, index, undefined)
    }
  }

  #execute(request: Request, index: number, { gate, statement }: Execute): void {
    if (this.#isInjected(request, statement, gate)) return
    const answer = (outcome: Outcome) => {
      this.#cancelTimers()
      this.#outcome = outcome
      if (outcome._tag === "Answered") this.#next(request, index, undefined)
      else this.#reply(request, undefined)
    }
    this.#session.execute(statement, answer, gate)
  }

  #commit(request: Request, index: number): void {
    const { hazards } = this.#database.world
    const isCut =
      hazards.isAnyActive && hazards.strike("storage/cut-after-commit", this.#subject, request.nth) !== undefined
    const before = this.#facts.cause
    const outcome = this.#session.commit()
    // What the commit told is the cause of its answer.
    this.#cause = this.#facts.cause === before ? this.#cause : this.#facts.cause
    if (!isCut || outcome !== "Committed") return this.#next(request, index, outcome)
    this.#facts.effect("storage/cut-after-commit", this.#database.node)
    this.cut()
  }

  #next(request: Request, index: number, commit: CommitOutcome | undefined): void {
    if (index + 1 < request.commands.length) this.#perform(request, index + 1)
    else this.#reply(request, commit)
  }

  /** True when a fault takes the place of the statement. Only statements that write or lock can meet others. */
  #isInjected(request: Request, statement: Statement, gate: Execute["gate"] = []): boolean {
    const { hazards } = this.#database.world
    const meets = gate.length > 0 || meetsOthers(statement)
    if (!hazards.isAnyActive || !meets || this.#session.state === "doomed") return false
    const { nth } = request
    const fails = (fault: string) => hazards.hit(fault, this.#subject, nth) !== undefined
    const { options } = this.#database
    const isFull = (statement._tag === "Insert" || statement._tag === "Update") && fails("storage/disk-full")
    if (isFull) this.#injectFailure(request, new Unavailable({ detail: "no space left on device" }))
    else if (fails("storage/serialization-failure")) this.#injectFailure(request, new SerializationFailure())
    else if (fails("storage/deadlock")) this.#injectFailure(request, new Deadlock())
    else if (fails("storage/lock-timeout")) this.#injectLater(request, "lock", options.lockTimeoutMillis)
    else if (fails("storage/statement-timeout")) this.#injectLater(request, "statement", options.statementTimeoutMillis)
    else return false
    return true
  }

  /** The statement sits there until its time is up, holding what its transaction holds. */
  #injectLater(request: Request, limit: "lock" | "statement", millis: number): void {
    this.#after(millis * 1_000, () => this.#injectFailure(request, new Timeout({ limit })))
  }

  #injectFailure(request: Request, reason: Reason): void {
    if (this.#request !== request) return
    this.#emit(errorInjected, request.nth, reason._tag)
    this.#session.cancel(reason)
    this.#outcome = { _tag: "Failed", reason }
    this.#reply(request, undefined)
  }

  #reply(request: Request, commit: CommitOutcome | undefined): void {
    if (this.#isOver) return
    const outcome = this.#outcome
    // A request that began its own transaction ends it too.
    if (outcome._tag !== "Answered" && endsItself(request)) this.#session.rollback()
    this.#request = undefined
    const reply: Reply = { _tag: "Reply", nth: request.nth, outcome, commit }
    const before = this.#facts.cause
    this.#facts.cause = this.#cause
    this.#send(reply, outcomeTag(outcome))
    this.#facts.cause = before
    if (this.#isClientGone) return this.#close()
    this.#lastUsedMicros = this.#nowMicros
    if (this.#session.state === "in transaction" || this.#session.state === "doomed") this.#watchIdle()
  }

  /** One timer for however many statements: when it fires it looks how long the session has really been idle. */
  #watchIdle(): void {
    if (this.#idleTimer !== undefined) return
    const limitMicros = this.#database.options.idleInTransactionTimeoutMillis * 1_000
    const watch = (delayMicros: number) => {
      this.#idleTimer = this.#after(delayMicros, () => {
        this.#idleTimer = undefined
        if (this.#session.state === "idle") return
        if (this.#request !== undefined) return
        const idleMicros = this.#nowMicros - this.#lastUsedMicros
        if (idleMicros >= limitMicros) this.fatal(new Timeout({ limit: "idle-in-transaction" }))
        else watch(limitMicros - idleMicros)
      })
    }
    watch(limitMicros)
  }

  /** Asks after a client from whom nothing was heard for so long; if nobody is there, the connection breaks. */
  #keepAlive(): void {
    const intervalMicros = this.#database.options.keepAliveMillis * 1_000
    const idleMicros = this.#nowMicros - this.#lastUsedMicros
    const isDue = idleMicros >= intervalMicros
    if (isDue) this.#send({ _tag: "Probe" }, "probe")
    this.#after(isDue ? intervalMicros : intervalMicros - idleMicros, () => this.#keepAlive())
  }

  #close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimers()
    this.#emit(closed, 0, this)
    this.#database.backends.delete(this.#session)
    this.#session.terminate()
  }

  #cancelTimers(): void {
    for (const timer of this.#timers) timer.cancelled = true
    this.#timers = []
  }

  /** By the database's own clock. */
  #after(ownMicros: number, run: () => void): Event {
    const { node } = this.#database
    return node.setTimer(node.clock.worldDelayMicros(Math.max(0, ownMicros)), () => {
      if (!this.#isOver) run()
    })
  }

  #send(message: ToClient, content: string): void {
    this.#end.send(message, messageBytes(message), content, { storage: content })
  }

  #emit<P>(kind: FactKind<P>, second: number, payload: P): number {
    return this.#facts.emit(kind, this.#database.node, this.#session.id, second, payload)
  }
}

const nothing: Outcome = { _tag: "Answered", answer: { rows: [], count: 0 } }

function endsItself({ commands }: Request): boolean {
  return isLast(commands, "Commit") && commands[0]!._tag === "Begin"
}

function isLast(commands: ReadonlyArray<Command>, tag: Command["_tag"]): boolean {
  return commands[commands.length - 1]!._tag === tag
}

function meetsOthers(statement: Statement): boolean {
  switch (statement._tag) {
    case "Select":
      return statement.lock !== undefined
    case "Count":
      return false
    case "Fence":
    case "Insert":
    case "Update":
    case "Delete":
      return true
  }
}

function outcomeTag(outcome: Outcome): string {
  switch (outcome._tag) {
    case "Answered":
      return `${outcome.answer.count} rows`
    case "Failed":
      return outcome.reason._tag
    case "Defect":
      return outcome._tag
  }
}

function describeLock({ backend, wait }: Lock): object {
  return wait._tag === "Row"
    ? { client: backend.client, table: wait.slot.home.name, row: wait.slot.id, mode: wait.mode }
    : { client: backend.client, constraint: wait.constraint }
}
