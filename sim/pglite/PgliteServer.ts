/**
 * The node of a database with PGlite in it: the production multiplexer behind simulated connections, under the node's own clock. What is
 * in the database is the business of whoever makes the node.
 *
 * - V1 The database's time is its node's clock; `now()` and `clock_timestamp()` follow it, the limits of sessions its
 *   monotonic side.
 * - V2 Every fault strikes by (connection, nth turn), as on the model. What fails by injection fails in PGlite: the error is raised
 *   by a statement in the place of the real one, so that the transaction is doomed there.
 *
 * One session is not several: an open transaction owns the database, so nobody ever waits for a single row, no two
 * transactions overlap, nothing is skipped because it is locked, and no deadlock or serialization failure comes about
 * unless a fault injects it. Advisory locks of sessions would be everybody's, and end the run. What only overlapping transactions can
 * show is for the model and for real Postgres.
 */
import * as Effect from "effect/Effect"
import { fieldsOf, withoutTableIds } from "../../adapters/pglite/Backend.ts"
import { type Frame, concat, framesOf } from "../../adapters/pglite/Frames.ts"
import * as Frontend from "../../adapters/pglite/Frontend.ts"
import { type Done, type Host, Multiplexer, type Session, type Turn } from "../../adapters/pglite/Multiplexer.ts"
import * as Chance from "../kernel/Chance.ts"
import type { Event } from "../kernel/EventHeap.ts"
import { epochMicros } from "../kernel/NodeClock.ts"
import { CurrentNode, type Program, type SimNode } from "../kernel/SimNode.ts"
import { type End, type Handlers, listen } from "../network/Connection.ts"
import { RequestProblem } from "../run/Simulation.ts"
import { type DatabaseOptions, type DatabaseWorld, errorInjected, latencyMicrosMax } from "../storage/SimDatabase.ts"
import { databasePort } from "../storage/Wire.ts"
import type { Instance } from "./Instance.ts"
import * as Wire from "./Wire.ts"

export type ServerOptions = Pick<DatabaseOptions, "statementTimeoutMillis" | "lockTimeoutMillis" | "keepAliveMillis">

/** Hears of what is in the database. */
export interface Contents {
  /** A transaction that may have written has committed. */
  readonly committed: () => void
  /** The server that starts now had not heard of the last commits. Without this a failover loses nothing. */
  readonly failedOver?: (lagMicros: number) => void
}

export class PgliteServer {
  readonly world: DatabaseWorld
  readonly options: ServerOptions
  readonly program: Program
  /** Undefined when nobody knows what is in it. */
  readonly contents: Contents | undefined
  readonly #instance: Instance
  #node: SimNode | undefined
  #secrets = 0
  #multiplexer: Multiplexer | undefined

  constructor(instance: Instance, world: DatabaseWorld, options: ServerOptions, contents?: Contents) {
    this.#instance = instance
    this.world = world
    this.options = options
    this.contents = contents
    this.program = Effect.flatMap(CurrentNode, (node) =>
      Effect.suspend(() => {
        this.#boot(node)
        return Effect.never
      })
    )
  }

  /** Undefined before it was started. */
  get startedNode(): SimNode | undefined {
    return this.#node
  }

  /** Dies before the node was started. */
  get node(): SimNode {
    if (this.#node === undefined) throw new Error("the database has not been started")
    return this.#node
  }

  get multiplexer(): Multiplexer {
    return this.#multiplexer as Multiplexer
  }

  /** Runs SQL of the simulator's own; `told` is what it is called if it fails. */
  ask(text: string, told = text): ReadonlyArray<Frame> {
    const frames = framesOf(this.#execute(Frontend.query(text)))
    const error = frames.find(({ type }) => type === "E")
    if (error !== undefined) throw new Error(`${told}: ${fieldsOf(error)["M"]}`)
    return frames
  }

  /** By the database's own clock. */
  after(ownMicros: number, run: () => void): Event {
    const { node } = this
    return node.setTimer(node.clock.worldDelayMicros(Math.max(0, ownMicros)), run)
  }

  #boot(node: SimNode): void {
    this.#node = node
    if (this.#multiplexer !== undefined) this.#instance.reset()
    const { contents } = this
    if (contents?.failedOver !== undefined) {
      const failover = this.world.hazards.strike("storage/failover", `${node.name}/${node.incarnation}`, 0)
      if (failover !== undefined) contents.failedOver((failover.parameters["millis"] ?? 0) * 1_000)
    }
    const backends = new Map<Session, Backend>()
    const host: Host = {
      execute: (messages) => this.#execute(messages),
      // A mistake of the simulator's own.
      failed: (error) => {
        throw error
      },
      after: (millis, run) => {
        const timer = this.after(millis * 1_000, run)
        return () => {
          timer.cancelled = true
        }
      },
      secret: () => Chance.bits(Chance.derive(this.world.network.kernel.key, "secrets"), this.#secrets++),
      admit: (turn, go) => backends.get(turn.session)!.admit(turn, go),
      ran: (turn, done) => backends.get(turn.session)!.ran(turn, done)
    }
    this.#multiplexer = new Multiplexer(host)
    listen(this.world.network, node, databasePort, (end) => {
      const backend = new Backend(this, end)
      backends.set(backend.session, backend)
      return backend.handlers
    })
  }

  #execute(messages: Uint8Array): Uint8Array {
    return this.#instance.execute(
      messages,
      this.#node?.clock.wallMicros() ?? epochMicros + this.world.network.kernel.nowMicros
    )
  }
}

/** The server's end of one connection. */
class Backend {
  readonly session: Session
  readonly #database: PgliteServer
  readonly #end: End
  /** Names the connection to the hazards: "n1>database/3". */
  readonly #subject: string
  /** In the open transaction. */
  #hasWritten = false
  /** The turn whose answer is about to be sent. */
  #answering: { readonly nth: number; readonly isOpen: boolean } | undefined
  #lastUsedMicros = 0
  #isOver = false

  constructor(database: PgliteServer, end: End) {
    this.#database = database
    this.#end = end
    this.#subject = `${end.link.target}>${end.link.source}/${end.connection}`
    this.session = database.multiplexer.connect({
      send: (bytes) => this.#send(bytes),
      end: () => this.#leave(() => end.close())
    })
    this.#keepAlive()
  }

  get handlers(): Handlers {
    return {
      onMessage: ({ bytes }: Wire.ToDatabase) => {
        this.#end.consumed(bytes.length)
        this.#lastUsedMicros = this.#nowMicros
        if (!this.#isOver) this.session.receive(bytes)
      },
      onClose: () => this.#leave(() => undefined)
    }
  }

  /** Faults that strike a turn as it arrives. */
  admit(turn: Turn, go: (instead?: Uint8Array) => void): void {
    const locking = turn.texts.map(Wire.sessionLockOf).find((found) => found !== undefined)
    if (locking !== undefined) {
      throw new RequestProblem(`${this.#end.link.target} asks for ${locking}: ${noSessionLocks}`)
    }
    const { hazards } = this.#database.world
    if (!hazards.isAnyActive) return go()
    const { nth, session, texts } = turn
    const strikes = (fault: string) => hazards.hit(fault, this.#subject, nth) !== undefined
    if (session.status !== "I" && strikes("storage/idle-timeout")) {
      return session.fatal({ code: "25P03", message: "terminating connection due to idle-in-transaction timeout" })
    }
    if (commits(turn) && strikes("storage/cut-before-commit")) return this.#cut()
    const isStatement = texts.some((text) => !Wire.isControl(text))
    const { lockTimeoutMillis, statementTimeoutMillis } = this.#database.options
    const fail = (code: string, message: string) => {
      this.#facts.emit(errorInjected, this.#database.node, session.id, nth, code)
      go(Frontend.query(`do $$ begin raise exception using errcode = '${code}', message = '${message}'; end $$`))
    }
    const inject = (): void => {
      if (session.status === "E" || !texts.some(Wire.meetsOthers)) return go()
      const isFull = texts.some(Wire.needsRoom) && strikes("storage/disk-full")
      if (isFull) return fail("53100", "could not extend file: No space left on device")
      if (strikes("storage/serialization-failure")) return fail("40001", "could not serialize access")
      if (strikes("storage/deadlock")) return fail("40P01", "deadlock detected")
      if (strikes("storage/lock-timeout")) {
        return this.#later(lockTimeoutMillis * 1_000, () => fail("55P03", "canceling statement due to lock timeout"))
      }
      if (strikes("storage/statement-timeout")) {
        return this.#later(statementTimeoutMillis * 1_000, () => fail("57014", statementTimeout))
      }
      go()
    }
    if (!strikes("storage/latency")) return inject()
    const micros = Math.ceil(hazards.fraction("storage/latency", this.#subject, nth) ** 2 * latencyMicrosMax)
    const limitMicros = statementTimeoutMillis * 1_000
    if (micros < limitMicros || !isStatement) this.#later(micros, inject)
    else this.#later(limitMicros, () => fail("57014", statementTimeout))
  }

  /** Takes down what the turn changed, and tells it when it is committed. False when nobody is to hear the answer. */
  ran(turn: Turn, { after, before, problem, tags }: Done): boolean {
    const { clock } = this.#database.node
    if (turn.texts.some(Wire.usesTime)) clock.usedWall(clock.settings)
    if (before === "I") this.#hasWritten = false
    this.#hasWritten ||= turn.texts.some(Wire.mayWrite)
    this.#answering = { nth: turn.nth, isOpen: after !== "I" }
    if (after !== "I" || problem !== undefined || tags.at(-1) === "ROLLBACK") return true
    if (this.#hasWritten) this.#database.contents?.committed()
    if (!commits(turn)) return true
    const { hazards } = this.#database.world
    if (!hazards.isAnyActive || hazards.strike("storage/cut-after-commit", this.#subject, turn.nth) === undefined) {
      return true
    }
    this.#facts.effect("storage/cut-after-commit", this.#database.node)
    this.#later(0, () => this.#cut())
    return false
  }

  get #facts() {
    return this.#database.world.network.kernel.facts
  }

  get #nowMicros(): number {
    return this.#database.node.clock.monotonicMicros()
  }

  #later(micros: number, run: () => void): void {
    this.#database.after(micros, () => {
      if (!this.#isOver) run()
    })
  }

  /** Ends the session and resets the connection, without a word. */
  #cut(): void {
    this.#leave(() => this.#end.abort())
  }

  #leave(close: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    this.session.left()
    close()
  }

  #send(bytes: Uint8Array): void {
    if (this.#isOver) return
    const frames = framesOf(bytes).map((frame) => (frame.type === "T" ? withoutTableIds(frame) : frame))
    const answer = concat(frames.map((frame) => frame.bytes))
    const { isOpen = false, nth } = this.#answering ?? {}
    this.#answering = undefined
    this.#lastUsedMicros = this.#nowMicros
    const message: Wire.ToClient = { bytes: answer, nth, isOpen }
    this.#end.send(message, answer.length, answer, { storage: Wire.describeAnswer(frames) })
  }

  /** Asks after a client from whom nothing was heard for so long; if nobody is there, the connection breaks. */
  #keepAlive(): void {
    const intervalMicros = this.#database.options.keepAliveMillis * 1_000
    const idleMicros = this.#nowMicros - this.#lastUsedMicros
    const isDue = idleMicros >= intervalMicros
    if (isDue) {
      const probe: Wire.ToClient = { bytes: new Uint8Array(0), nth: undefined, isOpen: false }
      this.#end.send(probe, 1, "probe", { storage: "probe" })
    }
    this.#later(isDue ? intervalMicros : intervalMicros - idleMicros, () => this.#keepAlive())
  }
}

export const noSessionLocks =
  "one session of PGlite cannot tell whose the lock of a session is; use rows or pg_advisory_xact_lock, and for the shards of effect/cluster set shardLockDisableAdvisory: true in the config of the runner"

const statementTimeout = "canceling statement due to statement timeout"

/** Whether a transaction ends with this turn, if nothing fails. */
function commits({ session, texts }: Turn): boolean {
  if (texts.some(Wire.isCommit)) return true
  return session.status === "I" && texts.some((text) => !Wire.isControl(text))
}
