/**
 * The storage port on a node of the world: a pool of connections to the simulated database.
 *
 * - C1 A transaction has a connection of its own; what was begun there and not ended is rolled back or the connection is
 *   dropped.
 * - C2 When the answer to COMMIT, or to a single statement that writes, does not come, the outcome is unknown.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Semaphore from "effect/Semaphore"
import { statementTimeoutMillis } from "../../core/Limits.ts"
import {
  Aborted,
  type Answer,
  makeTransaction,
  type Reason,
  type Statement,
  Storage,
  StorageError,
  type TransactionOptions,
  Unavailable,
  UnknownOutcome
} from "../../core/ports/Storage.ts"
import { CurrentNode, type SimNode } from "../kernel/SimNode.ts"
import { connect, type End } from "../network/Connection.ts"
import { CurrentNetwork } from "../network/CurrentNetwork.ts"
import type { Network } from "../network/Network.ts"
import { port } from "./SimDatabase.ts"
import { nameOf, type Request, type Response } from "./Wire.ts"

export interface SimStorageOptions {
  /** Name of the database's node. */
  readonly database: string
  readonly poolSize?: number
}

const poolSizeDefault = 8
const acquireTimeoutMicros = 1_000_000
/** The client's own patience: the server's limit, and the way there and back. */
const answerTimeoutMicros = (statementTimeoutMillis + 1_000) * 1_000
/** How long a silent client says nothing in the middle of its transaction. */
const silenceMicros = 4_000_000

export const layer = (options: SimStorageOptions): Layer.Layer<Storage, never, SimNode> =>
  Layer.effect(
    Storage,
    Effect.gen(function* () {
      const pool = new Pool(yield* CurrentNetwork, yield* CurrentNode, options)
      return Storage.of({
        transaction: (body, transactionOptions) => transact(pool, body, transactionOptions),
        once: (call, onceOptions) =>
          call(
            makeTransaction((statement) =>
              pool.once(onceOptions.label, {
                _tag: "Once",
                label: onceOptions.label,
                fences: onceOptions.fences ?? [],
                statement
              })
            )
          )
      })
    })
  )

const transact: (
  pool: Pool,
  ...call: Parameters<Storage["Service"]["transaction"]>
) => Effect.Effect<never, never, never> = ((
  pool: Pool,
  body: (transaction: ReturnType<typeof makeTransaction>) => Effect.Effect<unknown, unknown, unknown>,
  options: TransactionOptions
) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const { label } = options
      const connection = yield* restore(pool.acquire(label))
      const turns = Semaphore.makeUnsafe(1)
      let hasBegun = false
      const execute = (statement: Statement) =>
        turns.withPermit(
          Effect.suspend(() => {
            const begin = hasBegun ? undefined : { label, isolation: options.isolation ?? "read committed" }
            hasBegun = true
            return connection.request({ _tag: "Execute", statement, begin }).pipe(
              Effect.flatMap(answered),
              Effect.mapError((reason) => new StorageError({ label, reason }))
            )
          })
        )
      const fences = options.fences ?? []
      const guarded = fences.length === 0 ? Effect.void : execute({ _tag: "Fence", fences })
      const exit = yield* Effect.exit(restore(Effect.andThen(guarded, Effect.suspend(() => body(makeTransaction(execute))))))
      if (!hasBegun) pool.release(connection)
      else if (Exit.isFailure(exit)) {
        connection.rollback()
        pool.release(connection)
      } else {
        const ended = connection.request({ _tag: "Commit" }).pipe(
          Effect.catch(() => Effect.fail<Reason>(new UnknownOutcome())),
          Effect.flatMap((response) =>
            response._tag === "Ended" && response.outcome === "Committed" ? Effect.void : Effect.fail<Reason>(new Aborted())
          ),
          Effect.mapError((reason) => new StorageError({ label, reason }))
        )
        yield* restore(ended).pipe(Effect.ensuring(Effect.sync(() => pool.release(connection))))
      }
      return yield* exit
    })
  )) as never

function answered(response: Response): Effect.Effect<Answer, Reason> {
  if (response._tag === "Ended") return Effect.die(new Error("the database answered a statement with the end of its transaction"))
  const { outcome } = response
  switch (outcome._tag) {
    case "Answered":
      return Effect.succeed(outcome.answer)
    case "Failed":
      return Effect.fail(outcome.reason)
    case "Defect":
      return Effect.die(outcome.defect)
  }
}

/** A connection to the database, in use by one transaction at a time. */
class DatabaseConnection {
  readonly #network: Network
  readonly #node: SimNode
  readonly #subject: string
  readonly end: End
  #waiting: ((response: Response | undefined) => void) | undefined
  #requests = 0
  onOpen: (() => void) | undefined

  constructor(network: Network, node: SimNode, database: string) {
    this.#network = network
    this.#node = node
    this.end = connect(network, node, database, port, {
      onOpen: () => this.onOpen?.(),
      onMessage: (response: Response) => this.#settle(response),
      onClose: () => {
        this.onOpen?.()
        this.#settle(undefined)
      }
    })
    this.#subject = `${node.name}>${database}/${this.end.connection}`
  }

  get isIdle(): boolean {
    return this.end.state === "open" && this.#waiting === undefined
  }

  /** Fails `Unavailable` when no answer comes; the connection is dropped then, as it is on interruption. */
  request(request: Request): Effect.Effect<Response, Reason> {
    return Effect.callback<Response, Reason>((resume) => {
      if (this.end.state !== "open") {
        resume(Effect.fail(new Unavailable({ detail: "connection closed" })))
        return
      }
      const nth = this.#requests++
      const { hazards } = this.#network
      const isSilent =
        hazards.isAnyActive &&
        request._tag !== "Once" &&
        nth > 0 &&
        hazards.hit("storage/silent-client", this.#subject, nth) !== undefined
      this.#node.waits(`the database's answer to ${nameOf(request)}`)
      const timer = this.#node.setTimer(answerTimeoutMicros + (isSilent ? silenceMicros : 0), () => {
        this.end.abort()
        this.#settle(undefined)
      })
      this.#waiting = (response) => {
        timer.cancelled = true
        resume(response === undefined ? Effect.fail(new Unavailable({ detail: "connection lost" })) : Effect.succeed(response))
      }
      if (isSilent) this.#node.setTimer(silenceMicros, () => this.#send(request))
      else this.#send(request)
      return Effect.sync(() => {
        timer.cancelled = true
        this.#waiting = undefined
        this.end.abort()
      })
    })
  }

  rollback(): void {
    if (this.end.state === "open") this.#send({ _tag: "Rollback" })
  }

  #send(request: Request): void {
    const name = nameOf(request)
    this.end.send(request, 128, name, { sql: name })
  }

  #settle(response: Response | undefined): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(response)
  }
}

class Pool {
  readonly #network: Network
  readonly #node: SimNode
  readonly #database: string
  readonly #size: number
  readonly #idle: Array<DatabaseConnection> = []
  /** Those who wait for a connection, first come first served. */
  readonly #queue: Array<(connection: DatabaseConnection | undefined) => void> = []
  #inUse = 0
  #acquired = 0

  constructor(network: Network, node: SimNode, options: SimStorageOptions) {
    this.#network = network
    this.#node = node
    this.#database = options.database
    this.#size = options.poolSize ?? poolSizeDefault
  }

  acquire(label: string): Effect.Effect<DatabaseConnection, StorageError> {
    return Effect.callback((resume) => {
      const { hazards } = this.#network
      const nth = this.#acquired++
      const isExhausted =
        hazards.isAnyActive && hazards.hit("storage/pool-exhausted", `${this.#node.name}/pool`, nth) !== undefined
      if (!isExhausted) {
        const idle = this.#takeIdle()
        if (idle !== undefined) {
          resume(Effect.succeed(idle))
          return undefined
        }
      }
      const fail = (detail: string) => resume(Effect.fail(new StorageError({ label, reason: new Unavailable({ detail }) })))
      const take = (connection: DatabaseConnection | undefined) => {
        if (connection === undefined) fail("connection refused")
        else resume(Effect.succeed(connection))
      }
      this.#node.waits("a connection of the database pool")
      let opening: DatabaseConnection | undefined
      const leave = () => {
        timer.cancelled = true
        const index = this.#queue.indexOf(settle)
        if (index >= 0) this.#queue.splice(index, 1)
        if (opening === undefined) return
        opening.onOpen = undefined
        opening.end.abort()
        this.#inUse--
      }
      const settle = (connection: DatabaseConnection | undefined) => {
        timer.cancelled = true
        opening = undefined
        take(connection)
      }
      const timer = this.#node.setTimer(acquireTimeoutMicros, () => {
        leave()
        fail(isExhausted ? "pool exhausted" : "no connection in time")
      })
      if (isExhausted) return Effect.sync(leave)
      if (this.#inUse < this.#size) {
        this.#inUse++
        const connection = new DatabaseConnection(this.#network, this.#node, this.#database)
        opening = connection
        connection.onOpen = () => {
          connection.onOpen = undefined
          if (connection.end.state === "open") return settle(connection)
          this.#inUse--
          settle(undefined)
        }
      } else this.#queue.push(settle)
      return Effect.sync(leave)
    })
  }

  /** Gives back a connection; one that is broken or still waits for an answer is dropped. */
  release(connection: DatabaseConnection): void {
    const next = this.#queue.shift()
    if (connection.isIdle) {
      if (next === undefined) {
        this.#inUse--
        this.#idle.push(connection)
      } else next(connection)
      return
    }
    connection.end.abort()
    this.#inUse--
    // Whoever waits gets the place and opens a connection of its own.
    if (next === undefined) return
    this.#inUse++
    const fresh = new DatabaseConnection(this.#network, this.#node, this.#database)
    fresh.onOpen = () => {
      fresh.onOpen = undefined
      const isOpen = fresh.end.state === "open"
      if (!isOpen) this.#inUse--
      next(isOpen ? fresh : undefined)
    }
  }

  once(label: string, request: Extract<Request, { _tag: "Once" }>): Effect.Effect<Answer, StorageError> {
    const { statement } = request
    const isRead = statement._tag === "Count" || (statement._tag === "Select" && statement.lock === undefined)
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(this.acquire(label)), (connection) =>
        restore(connection.request(request)).pipe(
          Effect.catch((reason) => Effect.fail<Reason>(isRead ? reason : new UnknownOutcome())),
          Effect.flatMap(answered),
          Effect.mapError((reason) => new StorageError({ label, reason })),
          Effect.ensuring(Effect.sync(() => this.release(connection)))
        )
      )
    )
  }

  #takeIdle(): DatabaseConnection | undefined {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.isIdle) continue
      this.#inUse++
      return idle
    }
    return undefined
  }
}
