/**
 * The storage port on real Postgres, behaving as its model does (`sim/storage/SimStorage.ts`):
 *
 * - S1 A call is one statement and one round trip. `once` is one statement with its fences inside (`Sql.ts`, Q5), its own
 *   transaction at the server; a transaction adds BEGIN, its fences if it has any, and COMMIT.
 * - S2 A commit that was sent and not answered is `UnknownOutcome`, unless the transaction wrote nothing; so is a write of
 *   `once`. Whatever else is lost is `Unavailable`, for then nothing has happened.
 * - S3 Interrupting a call asks the server to give it up and dooms its transaction. Interrupting COMMIT changes nothing: it
 *   goes on at the server.
 * - S4 A rollback after a failure is awaited; one after an interruption is not, so that whoever interrupts need not wait
 *   for the network.
 * - S5 Every session bounds its statements, its waits for locks and its idleness in a transaction, by its startup parameters;
 *   an answer that does not come in time ends the connection, also while the port is being closed.
 * - S6 A connection about which anything is doubtful (an interrupted statement, an answer that did not come) is closed
 *   and never lent again: a late cancellation must not hit somebody else's statement.
 *
 * Labels travel as a comment before every statement: `/* lease/renew *\/ begin …`. They show in `pg_stat_activity` and in the
 * server's log, and the change feed writes them down. On the wire the text is in the Parse message, which a connection sends
 * once for each form and refers to by name afterwards: whoever listens remembers names. A form belongs to a label or two, so
 * that this prepares hardly more of them.
 *
 * Guarantees are divided: atomicity, isolation, locks and durability are Postgres'; this file adds the fences' epochs,
 * the one error with its reasons, and what an ended connection means.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"
import { idleInTransactionTimeoutMillis, lockTimeoutMillis, statementTimeoutMillis } from "../../core/Limits.ts"
import {
  Aborted,
  type Answer,
  type Fence,
  Fenced,
  type Reason,
  type Statement,
  Storage,
  type Transaction,
  type TransactionOptions,
  Unavailable,
  UnknownOutcome,
  makeTransaction,
  type StorageError
} from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { type Running, failed, makeStorage, writes } from "../../core/storage/makeStorage.ts"
import { bind, makeCodecs } from "./Codecs.ts"
import { Deadlines } from "./Deadlines.ts"
import { failureOf } from "./Errors.ts"
import type { Sql, Told } from "./Sql.ts"
import { SqlForms } from "./SqlForms.ts"

/** Where the server is and who comes: the driver's own settings, those of the session apart. */
export type ConnectionSettings = Omit<
  PgConnection.Config,
  "types" | "multiplex" | "prepare" | "preparedStatementCacheSize" | "startupParameters" | "startupOptions"
>

export interface PostgresOptions {
  readonly connection: ConnectionSettings
  readonly tables: ReadonlyArray<Table<unknown>>
  /** Default 10. Each node of a deployment has as many; the sum stays below the server's `max_connections`. */
  readonly connectionsMax?: number
  /** How long a transaction waits for a connection. Default 1 s. */
  readonly acquireTimeoutMillis?: number
  /** A statement without an answer by then is given up, and its connection with it. Default 3 s. */
  readonly answerTimeoutMillis?: number
  /** Of each session; the defaults are those of `core/Limits.ts`, which lie below the lease's margin. */
  readonly statementTimeoutMillis?: number
  readonly lockTimeoutMillis?: number
  readonly idleInTransactionTimeoutMillis?: number
}

/** The port. Opens no connection before the first transaction. */
export const layer = (options: PostgresOptions): Layer.Layer<Storage> =>
  Layer.effect(
    Storage,
    Effect.map(Sessions.make(options), (sessions) =>
      makeStorage({
        once: (statement, of) => once(sessions, statement, of),
        begin: (of) => new RunningTransaction(sessions, of)
      })
    )
  )

type Answered<A> = Effect.Effect<A, StorageError>

/** How a statement ended that was given to a connection. */
interface Settled {
  readonly exit: Exit.Exit<PgConnection.Result, SqlError | "no answer">
  /** False when the connection was found dead before anything was written to it. */
  readonly wasSent: boolean
}

const defaults = {
  connectionsMax: 10,
  acquireTimeoutMillis: 1_000,
  answerTimeoutMillis: 3_000,
  statementTimeoutMillis,
  lockTimeoutMillis,
  idleInTransactionTimeoutMillis
}

/** The pool, and what is common to all that use it. */
class Sessions {
  readonly sql: SqlForms
  readonly #pool: PgPool.PgPool
  readonly #acquiring: Deadlines
  readonly answering: Deadlines
  /** Runs what goes on when whoever wanted it has gone. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

  static make(options: PostgresOptions): Effect.Effect<Sessions, never, Scope.Scope> {
    return Effect.gen(function* () {
      const all = { ...defaults, ...options }
      // Before the pool, so that they outlive it: it closes when what was lent is back, and a silent server gives nothing back.
      const acquiring = yield* Deadlines.make(all.acquireTimeoutMillis)
      const answering = yield* Deadlines.make(all.answerTimeoutMillis)
      const pool = yield* PgPool.make({
        applicationName: "stormglass",
        connectTimeout: all.acquireTimeoutMillis,
        ...options.connection,
        types: makeCodecs(),
        maxConnections: all.connectionsMax,
        preparedStatementCacheSize: 256,
        startupParameters: {
          statement_timeout: String(all.statementTimeoutMillis),
          lock_timeout: String(all.lockTimeoutMillis),
          idle_in_transaction_session_timeout: String(all.idleInTransactionTimeoutMillis),
          default_transaction_isolation: "read committed",
          timezone: "UTC"
        }
      }).pipe(Effect.orDie)
      const run = Effect.runForkWith(yield* Effect.context<never>())
      return new Sessions(options.tables, pool, run, acquiring, answering)
    })
  }

  constructor(
    tables: ReadonlyArray<Table<unknown>>,
    pool: PgPool.PgPool,
    run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>,
    acquiring: Deadlines,
    answering: Deadlines
  ) {
    this.sql = new SqlForms(new Map(tables.map((table) => [table.name, table])))
    this.#pool = pool
    this.run = run
    this.#acquiring = acquiring
    this.answering = answering
  }

  /**
   * Lends a connection: in the stack of the caller when one is idle. What it answers leaves the queue; whoever has the session gives
   * it back. The lease is a fiber that rests until then, which costs less than a scope and its end.
   */
  acquire(label: string, lend: (session: Session) => void, refuse: (refused: Answered<never>) => void): () => void {
    let isWaiting = true
    let stop = () => {}
    const end = () => {
      isWaiting = false
      stop()
    }
    const lease = this.run(
      this.#pool.use((connection) =>
        Effect.callback<void>((resume) => {
          const giveBack = () => resume(Effect.void)
          if (!isWaiting) return giveBack()
          end()
          lend(new Session(this, connection, giveBack))
        })
      )
    )
    const leave = () => {
      if (!isWaiting) return
      end()
      lease.interruptUnsafe()
    }
    lease.addObserver((exit) => {
      if (!isWaiting || Exit.isSuccess(exit)) return
      end()
      const error = Cause.findErrorOption(exit.cause)
      refuse(
        error._tag === "None" ? Effect.failCause(exit.cause as Cause.Cause<never>) : failed(label, refusal(error.value))
      )
    })
    if (isWaiting) {
      stop = this.#acquiring.begin(() => {
        leave()
        refuse(failed(label, new Unavailable({ detail: "no connection could be had in time" })))
      })
    }
    return leave
  }

  invalidate(connection: PgConnection.PgConnection): Effect.Effect<void> {
    return this.#pool.invalidate(connection)
  }
}

/** A connection lent to one transaction. */
class Session {
  readonly #sessions: Sessions
  readonly #connection: PgConnection.PgConnection
  readonly #giveBack: () => void
  #isReturned = false

  constructor(sessions: Sessions, connection: PgConnection.PgConnection, giveBack: () => void) {
    this.#sessions = sessions
    this.#connection = connection
    this.#giveBack = giveBack
  }

  /**
   * Sends a statement, in a fiber of its own: whoever waits may leave at once, by what this answers. Left or unanswered, the
   * statement is cancelled and the connection closed (S6).
   */
  send({ parameters, text }: Sql, settle: (settled: Settled) => void): () => void {
    let isWaiting = true
    const fiber = this.#sessions.run(this.#connection.query(text, parameters.map(bind)))
    // The driver writes, or refuses to, in the stack of its caller.
    const wasSent = fiber.pollUnsafe() === undefined
    const end = () => {
      isWaiting = false
      stop()
    }
    const stop = this.#sessions.answering.begin(() => {
      end()
      settle({ exit: Exit.fail("no answer"), wasSent })
      this.#abandon(fiber)
    })
    fiber.addObserver((exit) => {
      if (!isWaiting) return
      end()
      settle({ exit, wasSent })
    })
    return () => {
      if (!isWaiting) return
      end()
      this.#abandon(fiber)
    }
  }

  /** Gives the connection back. */
  release(): void {
    if (this.#isReturned) return
    this.#isReturned = true
    this.#giveBack()
  }

  /** Closes the connection, which also ends whatever transaction it is in. */
  discard(after: Effect.Effect<unknown> = Effect.void): void {
    if (this.#isReturned) return
    this.#isReturned = true
    this.#sessions.run(
      after.pipe(
        Effect.andThen(this.#sessions.invalidate(this.#connection)),
        Effect.andThen(Effect.sync(this.#giveBack))
      )
    )
  }

  /** The driver cancels at the server and waits for its word, for some five seconds at most; then the connection is closed. */
  #abandon(fiber: Fiber.Fiber<PgConnection.Result, SqlError>): void {
    fiber.interruptUnsafe()
    this.discard(
      Effect.callback<void>((resume) => {
        fiber.addObserver(() => resume(Effect.void))
      })
    )
  }
}

/** Why there is no connection. */
function refusal(error: SqlError): Reason {
  const failure = failureOf(error, "connecting")
  return failure._tag === "Defect" ? new Unavailable({ detail: failure.defect.message }) : failure.reason
}

function once(
  sessions: Sessions,
  statement: Statement,
  options: Omit<TransactionOptions, "isolation">
): Answered<Answer> {
  const { fences, label, project } = options
  return Effect.callback<Answer, StorageError>((resume) => {
    const sql = sessions.sql.of(label, statement, fences, toldBy(sessions, statement, project, true))
    let abandon: (() => void) | undefined
    const leave = sessions.acquire(
      label,
      (session) => {
        abandon = session.send(sql, (settled) => {
          const { answer, isLost } = answerOf(label, settled, statement, writes(statement))
          if (isLost) session.discard()
          else session.release()
          resume(answer)
        })
      },
      resume
    )
    return Effect.sync(() => (abandon ?? leave)())
  })
}

/** What a statement has to tell of the project that it is for: only where there are tenants. */
function toldBy(
  { sql }: Sessions,
  statement: Statement,
  project: string | undefined,
  isAlone: boolean
): Told | undefined {
  return project === undefined || !sql.isOfTenants(statement) ? undefined : { project, isAlone }
}

/** One transaction from BEGIN to its end. */
class RunningTransaction implements Running {
  readonly #sessions: Sessions
  readonly #options: TransactionOptions
  readonly transaction: Transaction
  readonly #turn = Semaphore.makeUnsafe(1)
  #session: Session | undefined
  #hasWritten = false
  /** The session knows for which project it works, until the transaction ends. */
  #hasToldProject = false
  /** Why it goes no further. */
  #doom: Reason | undefined
  /** A call was interrupted or lost, so that nobody knows what it did. */
  #isUncertain = false
  /** COMMIT or ROLLBACK was sent: no call may follow. */
  isOver = false

  constructor(sessions: Sessions, options: TransactionOptions) {
    this.#sessions = sessions
    this.#options = options
    this.transaction = makeTransaction((statement) => this.#execute(statement))
  }

  /** Takes a connection and begins, with the fences. */
  get start(): Answered<void> {
    const { fences = [], isolation = "read committed", label } = this.#options
    const { sql } = this.#sessions
    const begin = sql.control(label, `begin isolation level ${isolation}`)
    const begun = Effect.andThen(this.#acquired, this.#call(begin, undefined))
    if (fences.length === 0) return Effect.asVoid(begun)
    return begun.pipe(
      Effect.flatMap(() => this.#call(sql.of(label, { _tag: "Fence", fences }), undefined)),
      Effect.flatMap(({ rows }) => {
        const stale = staleAmong(fences, rows)
        return stale === undefined ? Effect.void : failed(label, stale)
      })
    )
  }

  /** Sends COMMIT, which goes on when whoever waits for it is interrupted. */
  get commit(): Answered<void> {
    return Effect.callback<void, StorageError>((resume) => {
      const { label } = this.#options
      const session = this.#session!
      if (this.#doom !== undefined) {
        this.abandon()
        return resume(failed(label, this.#doom))
      }
      this.isOver = true
      session.send(this.#sessions.sql.control(label, "commit"), (settled) => {
        const { answer, isLost } = answerOf(label, settled, undefined, this.#hasWritten)
        if (isLost) session.discard()
        else session.release()
        // What Postgres answers to COMMIT when the transaction was doomed.
        const { exit } = settled
        const isRolledBack = Exit.isSuccess(exit) && exit.value.command === "ROLLBACK"
        resume(isRolledBack ? failed(label, new Aborted()) : Effect.asVoid(answer))
      })
    })
  }

  /** Ends the transaction at the server, and waits for that. Never fails: a lost connection rolls back too. */
  get rollback(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const session = this.#session
      this.isOver = true
      if (session === undefined) return Effect.void
      if (this.#isUncertain) return Effect.sync(() => session.discard())
      return Effect.callback<void>((resume) => {
        const abandon = session.send(this.#sessions.sql.control(this.#options.label, "rollback"), ({ exit }) => {
          if (Exit.isSuccess(exit)) session.release()
          else session.discard()
          resume(Effect.void)
        })
        return Effect.sync(abandon)
      })
    })
  }

  /** The same, without waiting. */
  abandon(): void {
    this.isOver = true
    this.#sessions.run(this.rollback)
  }

  get #acquired(): Answered<void> {
    return Effect.callback<void, StorageError>((resume) => {
      const { label } = this.#options
      const lend = (session: Session) => {
        this.#session = session
        resume(Effect.void)
      }
      return Effect.sync(this.#sessions.acquire(label, lend, resume))
    })
  }

  #execute(statement: Statement): Answered<Answer> {
    return this.#turn.withPermit(
      Effect.suspend(() => {
        const { label } = this.#options
        if (this.isOver) return Effect.die(new Error(`${label}: a call after the end of its transaction`))
        if (this.#doom !== undefined) return failed(label, this.#doom)
        return Effect.flatMap(this.#translated(statement), (sql) => {
          this.#hasWritten ||= writes(statement)
          return this.#call(sql, statement)
        })
      })
    )
  }

  /** A mistake dooms the transaction, although the server does not hear of it. */
  #translated(statement: Statement): Effect.Effect<Sql> {
    return Effect.sync(() => {
      const { label, project } = this.#options
      const told = this.#hasToldProject ? undefined : toldBy(this.#sessions, statement, project, false)
      const translated = this.#sessions.sql.of(label, statement, [], told)
      this.#hasToldProject ||= told !== undefined
      return translated
    }).pipe(
      Effect.onError(() =>
        Effect.sync(() => {
          this.#doom = new Aborted()
        })
      )
    )
  }

  #call(sql: Sql, statement: Statement | undefined): Answered<Answer> {
    const { label } = this.#options
    return Effect.callback<Answer, StorageError>((resume) => {
      const abandon = this.#session!.send(sql, (settled) => {
        const { answer, isLost } = answerOf(label, settled, statement, false)
        if (isLost) this.#doomUncertain(new Unavailable({ detail: "the connection is closed" }))
        resume(answer)
      })
      return Effect.sync(() => {
        this.#doomUncertain(new Aborted())
        abandon()
      })
    })
  }

  #doomUncertain(reason: Reason): void {
    this.#doom = reason
    this.#isUncertain = true
  }
}

/** `mayHaveCommitted`: whether what was sent would commit something. */
function answerOf(
  label: string,
  { exit, wasSent }: Settled,
  statement: Statement | undefined,
  mayHaveCommitted: boolean
): { readonly answer: Answered<Answer>; readonly isLost: boolean } {
  if (Exit.isSuccess(exit)) {
    return { answer: Effect.succeed(decode(statement, exit.value)), isLost: false }
  }
  const error = Cause.findErrorOption(exit.cause)
  if (error._tag === "None") return { answer: Effect.failCause(exit.cause as Cause.Cause<never>), isLost: true }
  const table = statement !== undefined && "table" in statement ? statement.table : "transaction"
  const failure =
    error.value === "no answer"
      ? ({ _tag: "Lost", reason: new Unavailable({ detail: "no answer in time" }) } as const)
      : failureOf(error.value, table)
  switch (failure._tag) {
    case "Lost": {
      const isUnknown = mayHaveCommitted && wasSent
      return { answer: failed(label, isUnknown ? new UnknownOutcome() : failure.reason), isLost: true }
    }
    case "Refused":
      return { answer: failed(label, failure.reason), isLost: isLastWord(failure.reason) }
    case "Defect":
      return { answer: Effect.die(failure.defect), isLost: true }
  }
}

/** The server says this and ends the session. */
function isLastWord(reason: Reason): boolean {
  return reason._tag === "Timeout" && reason.limit === "idle-in-transaction"
}

function decode(statement: Statement | undefined, result: PgConnection.Result): Answer {
  if (statement?._tag === "Count") return { rows: [], count: result.rows[0]!["count"] as number }
  return { rows: result.rows, count: result.rows.length }
}

function staleAmong(fences: ReadonlyArray<Fence>, rows: Answer["rows"]): Fenced | undefined {
  const epochs = new Map(rows.map((row) => [row["key"] as string, row["epoch"] as number]))
  const stale = fences.find(({ epoch, lease }) => epochs.get(lease) !== epoch)
  if (stale === undefined) return undefined
  return new Fenced({ ...stale, actualEpoch: epochs.get(stale.lease) ?? null })
}
