/**
 * The database as a node of the world: the engine behind simulated connections, with its own clock, timeouts and faults.
 *
 * - D1 What was committed survives every crash of the node; sessions do not.
 * - D2 A silent client keeps its locks until the idle-in-transaction timeout, whatever became of it.
 * - D3 Every commit that changed a row is told once, as `Committed`, and is the cause of what it set free.
 */
import * as Effect from "effect/Effect"
import type { Committed } from "../../core/facts/Envelope.ts"
import {
  idleInTransactionTimeoutMillis,
  lockTimeoutMillis,
  statementTimeoutMillis
} from "../../core/Limits.ts"
import { Deadlock, type Reason, SerializationFailure, Timeout } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import type { Event } from "../kernel/EventHeap.ts"
import type { FactKind } from "../kernel/FactStream.ts"
import type { SimNode } from "../kernel/SimNode.ts"
import { type End, listen } from "../network/Connection.ts"
import type { World } from "../run/World.ts"
import { Engine } from "./Engine.ts"
import type { StoredRow } from "./Evaluate.ts"
import type { Outcome, Session } from "./Session.ts"
import { nameOf, type Request, type Response } from "./Wire.ts"

export const port = 5432

/** Postgres looks for deadlocks after 1 s; ours must find them before the lock timeout. */
const deadlockTimeoutMicros = 200_000
/** How much longer a statement takes under storage/latency. */
const latencyMicrosMax = 900_000

const waits: FactKind<string> = {
  tag: "LockWaited",
  describe: (session, holder, statement) => ({ _tag: "LockWaited", session, holder, statement }) as { _tag: string }
}

const terminated: FactKind<string> = {
  tag: "SessionTerminated",
  describe: (session, _second, reason) => ({ _tag: "SessionTerminated", session, reason }) as { _tag: string }
}

export class SimDatabase {
  readonly node: SimNode
  readonly #world: World
  readonly #engine: Engine

  /** Registers the node under the name given; start it like any other. */
  constructor(
    world: World,
    options: { readonly name: string; readonly tables: ReadonlyArray<Table<unknown>>; readonly tags?: ReadonlyArray<string> }
  ) {
    this.#world = world
    const { facts } = world.kernel
    const program = Effect.andThen(
      Effect.sync(() => this.#boot()),
      Effect.never
    )
    this.node = world.addNode(options.name, program, { tags: ["database", "clock", ...(options.tags ?? [])] })
    this.#engine = new Engine({
      tables: options.tables,
      clockMicros: () => this.node.clock.wallMicros(),
      onCommit: ({ changes, fences, label, transactionId }) => {
        facts.cause = this.node.tell<Committed>({ _tag: "Committed", label, transactionId, fences, changes })
      },
      onWait: (session, wait, blockers) => {
        facts.emit(waits, this.node, session.id, blockers[0]?.id ?? 0, wait._tag)
      }
    })
  }

  /** The committed rows of a table, for convergence conditions and tests. */
  rows<R>(table: Table<R>): ReadonlyArray<R> {
    return this.#engine.committed(table.name) as ReadonlyArray<StoredRow> as unknown as ReadonlyArray<R>
  }

  get sessionCount(): number {
    return this.#engine.sessions.size
  }

  #boot(): void {
    this.#engine.restart()
    listen(this.#world.network, this.node, port, (end) => {
      const backend = new Backend(this.#world, this.node, this.#engine, end)
      return { onMessage: (request: Request) => backend.receive(request), onClose: () => backend.close() }
    })
  }
}

/** One session and the connection it is spoken to through. */
class Backend {
  readonly #world: World
  readonly #node: SimNode
  readonly #engine: Engine
  readonly #end: End
  readonly #session: Session
  /** The client, as the subject of hazards. */
  readonly #subject: string
  #received = 0
  readonly #timers: Array<Event> = []

  constructor(world: World, node: SimNode, engine: Engine, end: End) {
    this.#world = world
    this.#node = node
    this.#engine = engine
    this.#end = end
    this.#session = engine.open()
    this.#subject = `${end.link.target}>${node.name}/${end.connection}`
  }

  close(): void {
    this.#clearTimers()
    this.#session.terminate()
  }

  receive(request: Request): void {
    this.#clearTimers()
    if (this.#session.state === "closed") return
    const nth = this.#received++
    if (request._tag === "Rollback") return this.#session.rollback()
    const { hazards } = this.#world
    if (!hazards.isAnyActive || hazards.hit("storage/latency", this.#subject, nth) === undefined) {
      return this.#perform(request, nth)
    }
    const delay = Math.ceil(hazards.fraction("storage/latency", this.#subject, nth) ** 2 * latencyMicrosMax)
    this.#timer(delay, () => this.#perform(request, nth))
  }

  #perform(request: Exclude<Request, { _tag: "Rollback" }>, nth: number): void {
    switch (request._tag) {
      case "Execute":
        if (request.begin !== undefined) this.#session.begin(request.begin)
        return this.#execute(request.statement, nth, nameOf(request), (outcome) => this.#answer(outcome))
      case "Once": {
        this.#session.begin({ label: request.label, isolation: "read committed" })
        const finish = (outcome: Outcome) => {
          if (outcome._tag !== "Answered") {
            this.#session.rollback()
            return this.#answer(outcome)
          }
          this.#commit(nth, () => this.#answer(outcome))
        }
        const statement = () => this.#execute(request.statement, nth, nameOf(request), finish)
        if (request.fences.length === 0) return statement()
        return this.#execute({ _tag: "Fence", fences: request.fences }, nth, nameOf(request), (outcome) =>
          outcome._tag === "Answered" ? statement() : finish(outcome)
        )
      }
      case "Commit":
        return this.#commit(nth, (outcome) => this.#send({ _tag: "Ended", outcome }))
    }
  }

  #commit(nth: number, answer: (outcome: "Committed" | "RolledBack") => void): void {
    const { hazards } = this.#world
    if (hazards.isAnyActive && hazards.hit("storage/cut-before-commit", this.#subject, nth) !== undefined) {
      return this.#terminate("cut before commit")
    }
    const outcome = this.#session.commit()
    if (hazards.isAnyActive && hazards.hit("storage/cut-after-commit", this.#subject, nth) !== undefined) {
      return this.#terminate("cut after commit")
    }
    answer(outcome)
  }

  #execute(statement: Parameters<Session["execute"]>[0], nth: number, name: string, answer: (outcome: Outcome) => void): void {
    const injected = this.#injected(nth)
    if (injected !== undefined) {
      const fail = () => {
        this.#session.cancel(injected.reason)
        answer({ _tag: "Failed", reason: injected.reason })
      }
      return injected.afterMicros === 0 ? fail() : void this.#timer(injected.afterMicros, fail)
    }
    let isAnswered = false
    this.#session.execute(statement, (outcome) => {
      isAnswered = true
      this.#clearTimers()
      answer(outcome)
    })
    if (isAnswered) return
    this.#end.node.host.facts.emit(waits, this.#node, this.#session.id, 0, name)
    this.#timer(deadlockTimeoutMicros, () => this.#engine.checkDeadlock(this.#session))
    this.#timer(lockTimeoutMillis * 1_000, () => this.#session.cancel(new Timeout({ limit: "lock" })))
    this.#timer(statementTimeoutMillis * 1_000, () => this.#session.cancel(new Timeout({ limit: "statement" })))
  }

  #injected(nth: number): { readonly reason: Reason; readonly afterMicros: number } | undefined {
    const { hazards } = this.#world
    if (!hazards.isAnyActive || this.#session.state !== "in transaction") return undefined
    const hit = (kind: string) => hazards.hit(kind, this.#subject, nth) !== undefined
    if (hit("storage/serialization-failure")) return { reason: new SerializationFailure(), afterMicros: 0 }
    if (hit("storage/deadlock")) return { reason: new Deadlock(), afterMicros: deadlockTimeoutMicros }
    if (hit("storage/lock-timeout")) {
      return { reason: new Timeout({ limit: "lock" }), afterMicros: lockTimeoutMillis * 1_000 }
    }
    if (hit("storage/statement-timeout")) {
      return { reason: new Timeout({ limit: "statement" }), afterMicros: statementTimeoutMillis * 1_000 }
    }
    return undefined
  }

  #answer(outcome: Outcome): void {
    this.#send({ _tag: "Outcome", outcome })
    const { state } = this.#session
    if (state !== "in transaction" && state !== "doomed") return
    const { hazards } = this.#world
    if (hazards.isAnyActive && hazards.hit("storage/idle-timeout", this.#subject, this.#received) !== undefined) {
      return this.#terminate("idle in transaction")
    }
    this.#timer(idleInTransactionTimeoutMillis * 1_000, () => this.#terminate("idle in transaction"))
  }

  #send(response: Response): void {
    const bytes = response._tag === "Outcome" && response.outcome._tag === "Answered" ? response.outcome.answer.rows.length * 128 : 16
    this.#end.send(response, bytes, response._tag, { sql: response._tag === "Ended" ? response.outcome : response.outcome._tag })
  }

  #terminate(reason: string): void {
    this.#node.host.facts.emit(terminated, this.#node, this.#session.id, 0, reason)
    this.close()
    this.#end.abort()
  }

  #timer(delayMicros: number, run: () => void): void {
    this.#timers.push(this.#node.setTimer(delayMicros, run))
  }

  #clearTimers(): void {
    for (const timer of this.#timers.splice(0)) timer.cancelled = true
  }
}
