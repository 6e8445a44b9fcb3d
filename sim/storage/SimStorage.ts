/**
 * The storage port of a simulated node: what the SQL adapter is in production, over simulated connections.
 *
 * - S1 One transaction, one connection; each call is one round trip, and `once` is one statement with its fences inside.
 * - S2 A transaction whose commit was sent and not answered is `UnknownOutcome`, unless it wrote nothing; whatever else is lost
 *   is `Unavailable`, for then nothing has happened.
 * - S3 Interrupting a call asks the database to give it up and dooms its transaction. Interrupting COMMIT changes nothing:
 *   it goes on at the database.
 * - S4 A rollback after a failure is awaited; one after an interruption is not, so that whoever interrupts need not wait
 *   for the network.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  Aborted,
  type Answer,
  SerializationFailure,
  type Statement,
  Storage,
  type Transaction,
  type TransactionOptions,
  Unavailable,
  UnknownOutcome,
  makeTransaction,
  type StorageError
} from "../../core/ports/Storage.ts"
import { type Running, failed, makeStorage, writes } from "../../core/storage/makeStorage.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import { type Call, type Connection, Pool, type PoolOptions, type Settled } from "./Pool.ts"
import type { Command } from "./Wire.ts"

export const defaultOptions: PoolOptions = {
  database: "database",
  connectionsMax: 10,
  acquireTimeoutMillis: 1_000,
  answerTimeoutMillis: 3_000
}

/** The port, for a program on a simulated node. */
export const layer = (options: Partial<PoolOptions> = {}): Layer.Layer<Storage, never, SimNode> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const node = yield* CurrentNode
      const network = yield* CurrentNetwork
      const pool = new Pool(network, node, { ...defaultOptions, ...options })
      yield* Effect.addFinalizer(() => Effect.sync(() => pool.close()))
      return make(pool)
    })
  )

const make = (pool: Pool): Storage["Service"] =>
  makeStorage({
    once: (statement, of) => once(pool, statement, of),
    begin: (of) => new RunningTransaction(pool, of)
  })

type Answered<A> = Effect.Effect<A, StorageError>

function once(pool: Pool, statement: Statement, options: Omit<TransactionOptions, "isolation">): Answered<Answer> {
  const { fences: gate = [], label, project } = options
  const commands: ReadonlyArray<Command> = [
    { _tag: "Begin", isolation: "read committed", project },
    { _tag: "Execute", statement, gate },
    { _tag: "Commit" }
  ]
  return Effect.callback<Answer, StorageError>((resume) => {
    pool.node.portCall()
    pool.node.waits(`the database (${label})`)
    let sent: { readonly connection: Connection; readonly call: Call } | undefined
    const stopWaiting = pool.acquire((connection) => {
      if (connection instanceof Unavailable) return resume(failed(label, connection))
      const call = connection.call(label, commands, (settled) => {
        pool.release(connection)
        resume(answerOf(label, settled, writes(statement)))
      })
      sent = { connection, call }
    })
    return Effect.sync(() => {
      stopWaiting()
      if (sent !== undefined) sent.connection.cancel(sent.call)
    })
  })
}

/** One transaction from its first message to its last. */
class RunningTransaction implements Running {
  readonly #pool: Pool
  readonly #options: TransactionOptions
  readonly transaction: Transaction
  #connection: Connection | undefined
  #hasWritten = false
  /** A call was interrupted, so that nobody knows what it did. */
  #isDoomed = false
  /** COMMIT or ROLLBACK was sent: no call may follow. */
  isOver = false
  #stopWaiting: (() => void) | undefined

  constructor(pool: Pool, options: TransactionOptions) {
    this.#pool = pool
    this.#options = options
    this.transaction = makeTransaction((statement) => this.#execute(statement))
  }

  /** Takes a connection and begins, with the fences. */
  get start(): Answered<void> {
    const { label } = this.#options
    const acquire = Effect.callback<Connection, StorageError>((resume) => {
      this.#pool.node.portCall()
      this.#pool.node.waits(`a connection to the database (${label})`)
      this.#stopWaiting = this.#pool.acquire((connection) => {
        if (connection instanceof Unavailable) return resume(failed(label, connection))
        this.#connection = connection
        resume(Effect.succeed(connection))
      })
    })
    return Effect.flatMap(acquire, () => Effect.asVoid(this.#call(begin(this.#options), false)))
  }

  get commit(): Answered<void> {
    return Effect.callback<void, StorageError>((resume) => {
      const { label } = this.#options
      const connection = this.#connection!
      if (this.#isDoomed) {
        this.abandon()
        return resume(failed(label, new Aborted()))
      }
      this.isOver = true
      this.#pool.node.portCall()
      this.#pool.node.waits(`the database (COMMIT of ${label})`)
      connection.call(label, [{ _tag: "Commit" }], (settled) => {
        const answer = answerOf(label, settled, this.#hasWritten)
        if (settled._tag === "Reply" && settled.outcome._tag !== "Answered") this.#end(connection, () => undefined)
        else this.#pool.release(connection)
        resume(Effect.asVoid(answer))
      })
    })
  }

  /** Ends the transaction at the database, and waits for that. Never fails: a lost connection rolls back too. */
  get rollback(): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      if (this.#connection === undefined) return resume(Effect.void)
      this.#pool.node.waits(`the database (ROLLBACK of ${this.#options.label})`)
      this.#end(this.#connection, () => resume(Effect.void))
    })
  }

  /** The same, without waiting. */
  abandon(): void {
    this.#stopWaiting?.()
    if (this.#connection !== undefined) this.#end(this.#connection, () => undefined)
  }

  #end(connection: Connection, done: () => void): void {
    this.isOver = true
    connection.call(this.#options.label, [{ _tag: "Rollback" }], () => {
      this.#pool.release(connection)
      done()
    })
  }

  #execute(statement: Statement): Answered<Answer> {
    return Effect.suspend(() => {
      if (this.isOver) return Effect.die(new Error(`${this.#options.label}: a call after the end of its transaction`))
      if (this.#isDoomed) return failed(this.#options.label, new Aborted())
      return this.#call([{ _tag: "Execute", statement }], writes(statement))
    })
  }

  #call(commands: ReadonlyArray<Command>, isWrite: boolean): Answered<Answer> {
    const { label } = this.#options
    return Effect.callback<Answer, StorageError>((resume) => {
      this.#pool.node.portCall()
      this.#pool.node.waits(`the database (${label})`)
      this.#hasWritten ||= isWrite
      const connection = this.#connection!
      const call = connection.call(label, commands, (settled) => resume(answerOf(label, settled, false)))
      return Effect.sync(() => {
        if (connection.cancel(call) === "asked") this.#isDoomed = true
      })
    })
  }
}

function begin({ fences, isolation = "read committed", project }: TransactionOptions): ReadonlyArray<Command> {
  const first: Command = { _tag: "Begin", isolation, project }
  return fences === undefined || fences.length === 0
    ? [first]
    : [first, { _tag: "Execute", statement: { _tag: "Fence", fences } }]
}

/** `mayHaveCommitted`: whether a COMMIT that has something to commit is among what was sent. */
function answerOf(label: string, settled: Settled, mayHaveCommitted: boolean): Answered<Answer> {
  if (settled._tag === "Lost") {
    const { wasSent, reason } = settled
    const isUnknown = wasSent && mayHaveCommitted && reason._tag === "Unavailable"
    return failed(label, isUnknown ? new UnknownOutcome() : reason)
  }
  const { outcome, commit } = settled
  switch (outcome._tag) {
    case "Answered":
      if (commit === "RolledBack") return failed(label, new Aborted())
      return commit === "Refused" ? failed(label, new SerializationFailure()) : Effect.succeed(outcome.answer)
    case "Failed":
      return failed(label, outcome.reason)
    case "Defect":
      return Effect.die(outcome.defect)
  }
}
