/**
 * The storage port out of what its implementations differ in: how one statement is asked, and how a transaction begins and ends.
 *
 * - S1 `once` is one statement.
 * - S2 Who works for a project says which: an empty name would be none, and so all of them.
 * - S3 A transaction whose body succeeded is committed, one whose body failed is rolled back, which is awaited. One that was interrupted is
 *   rolled back without waiting, so that whoever interrupts need not wait for the network; so it is when the interruption came before
 *   COMMIT was sent, and afterwards COMMIT goes on.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert } from "../assert.ts"
import * as Metrics from "../Metrics.ts"
import {
  type Answer,
  type Reason,
  type Statement,
  type Storage,
  StorageError,
  type Transaction,
  type TransactionOptions,
  makeTransaction
} from "../ports/Storage.ts"

type Answered<A> = Effect.Effect<A, StorageError>

/** One transaction from its first message to its last. */
export interface Running {
  readonly transaction: Transaction
  /** Takes a connection and begins, with the fences. */
  readonly start: Answered<void>
  readonly commit: Answered<void>
  /** Never fails: a lost connection rolls back too. */
  readonly rollback: Effect.Effect<void>
  /** Rolls back without waiting. */
  readonly abandon: () => void
  /** COMMIT or ROLLBACK was sent: no call may follow. */
  readonly isOver: boolean
}

export const makeStorage = (options: {
  readonly once: (statement: Statement, of: Omit<TransactionOptions, "isolation">) => Answered<Answer>
  readonly begin: (of: TransactionOptions) => Running
}): Storage["Service"] => ({
  once: (call, of) =>
    Effect.suspend(() => {
      requireProject(of)
      let statements = 0
      const asked = call(
        makeTransaction((statement) =>
          statements++ === 0
            ? options.once(statement, of)
            : Effect.die(new Error(`${of.label}: once is one statement; use a transaction for more`))
        )
      )
      return of.fences === undefined ? asked : Effect.tapError(asked, tellFenced)
    }),
  transaction: (body, of) =>
    Effect.uninterruptibleMask((restore) => {
      const asked = Effect.suspend(() => {
        requireProject(of)
        return run(options.begin(of), body, restore)
      })
      return of.fences === undefined ? asked : Effect.tapError(asked, tellFenced)
    })
})

/** The same storage, for one project and nothing else. */
export const forProject = ({ once, transaction }: Storage["Service"], project: string): Storage["Service"] => ({
  once: (call, of) => once(call, { ...of, project }),
  transaction: (body, of) => transaction(body, { ...of, project })
})

function requireProject({ label, project }: Pick<TransactionOptions, "label" | "project">): void {
  assert(project !== "", `${label}: a project has a name`)
}

/** Whoever was deposed and does not know it yet would have written. */
const tellFenced = (error: unknown): Effect.Effect<void> =>
  error instanceof StorageError && error.reason._tag === "Fenced"
    ? Effect.andThen(Metrics.increment(Metrics.writesFenced), Effect.logInfo(`${fencedWord}: ${error.message}`))
    : Effect.void

/** What the log says first of a write that its fence refused. */
export const fencedWord = "refused by its fence"

function run<A, E, R>(
  running: Running,
  body: (transaction: Transaction) => Effect.Effect<A, E, R>,
  restore: <B, F, S>(effect: Effect.Effect<B, F, S>) => Effect.Effect<B, F, S>
): Effect.Effect<A, E | StorageError, R> {
  return restore(
    Effect.andThen(
      running.start,
      Effect.suspend(() => body(running.transaction))
    )
  ).pipe(
    Effect.exit,
    Effect.flatMap((exit): Effect.Effect<A, E | StorageError> => {
      if (Exit.isSuccess(exit)) {
        return Effect.as(restore(running.commit), exit.value).pipe(
          Effect.onInterrupt(() => Effect.sync(() => (running.isOver ? undefined : running.abandon())))
        )
      }
      if (Cause.hasInterrupts(exit.cause)) {
        running.abandon()
        return Effect.failCause(exit.cause)
      }
      return Effect.andThen(running.rollback, Effect.failCause(exit.cause))
    })
  )
}

export const failed = (label: string, reason: Reason): Effect.Effect<never, StorageError> =>
  Effect.fail(new StorageError({ label, reason }))

/** Whether a statement may leave something to commit. */
export const writes = ({ _tag }: Statement): boolean => _tag === "Insert" || _tag === "Update" || _tag === "Delete"
