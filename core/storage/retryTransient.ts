/**
 * The one place where transactions are repeated: whole, from the beginning, and only after failures that are known to
 * have changed nothing. The port itself never retries.
 *
 * `UnknownOutcome` is absent on purpose: the transaction may have committed, and only its caller, who knows the operation id
 * that it wrote, can find out. `Fenced` is absent because it is final.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { transactionAttemptsMax } from "../Limits.ts"
import { StorageError } from "../ports/Storage.ts"

export const isTransient = (error: unknown): boolean => {
  if (!(error instanceof StorageError)) return false
  switch (error.reason._tag) {
    case "SerializationFailure":
    case "Deadlock":
    case "Timeout":
    case "Unavailable":
      return true
    case "UniqueViolation":
    case "CheckViolation":
    case "Fenced":
    case "Aborted":
    case "UnknownOutcome":
      return false
  }
}

const pause = Schedule.jittered(Schedule.exponential("10 millis"))

/** Runs `transaction` again, at most `transactionAttemptsMax` times in all, while it fails for a transient reason. */
export const retryTransient = <A, E, R>(transaction: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(transaction, { while: isTransient, schedule: pause, times: transactionAttemptsMax - 1 })
