/**
 * Work that fails again and again: how often in a row, why, and from when on nobody tries any more. Columns of the rows that are worked on,
 * and pure decisions about them.
 *
 * - K1 What is parked is not due and not worked on, until somebody asks for it again, its deletion is asked for, or something else is wanted.
 * - K2 Only failures of the work itself are counted. What passes by itself (a store or a provider that cannot be reached, a lost lease, a host
 *   that has fallen silent) is tried again for ever.
 * - K3 What has failed is tried again after a pause that doubles, and that is stored: another owner waits for it as well.
 */
import * as Limits from "../Limits.ts"
import { add, clockTimestamp, isNotNull, isNull, or, type Row } from "../ports/Condition.ts"
import { integer, nullable, text, timestamp } from "../ports/Table.ts"

export interface Policy {
  /** How often in a row work may fail before it is parked; at least 1. */
  readonly failuresMax: number
  /** The longest pause before a start is tried again. */
  readonly restartMillisMax: number
}

export const policyDefault: Policy = { failuresMax: Limits.failuresMax, restartMillisMax: Limits.restartMillisMax }

export const columns = {
  /** How often in a row the work on it failed; null for never. */
  failures: nullable(integer),
  /** Why it failed last. */
  failure: nullable(text),
  failedAt: nullable(timestamp),
  /** From then on nobody works on it. */
  parkedAt: nullable(timestamp)
}

export interface Failing {
  readonly failures: number | null
  readonly failure: string | null
  readonly failedAt: number | null
  readonly parkedAt: number | null
}

export const checks = {
  parkedHasCause: (row: Row<Failing>) => or(isNull(row.parkedAt), isNotNull(row.failure))
}

/** Of what has not failed, or is tried anew. */
export const unfailed: Failing = { failures: null, failure: null, failedAt: null, parkedAt: null }

interface Parkable extends Pick<Failing, "parkedAt"> {
  readonly state: string
  readonly updatedAt: number
  readonly deletionRequestedAt: number | null
}

/**
 * Nobody works on the instance. A program that knows of no parking leaves `parkedAt` where it asks for a deletion, which is a new wish all the same, and
 * where it starts it again: that is then worked on, so that it is replaced when it ends.
 */
export const isParked = ({ deletionRequestedAt, parkedAt, state, updatedAt }: Parkable): boolean =>
  parkedAt !== null &&
  (deletionRequestedAt === null || parkedAt >= deletionRequestedAt) &&
  ((state !== "CREATING" && state !== "RUNNING") || parkedAt >= updatedAt)

export const isExhausted = ({ failures }: Pick<Failing, "failures">, { failuresMax }: Policy): boolean =>
  (failures ?? 0) >= failuresMax

/** How long to wait before what has failed so often is started again: not at all, then a second, doubled each time. */
export const restartMillis = (failures: number | null, { restartMillisMax }: Policy): number =>
  (failures ?? 0) <= 1 ? 0 : Math.min(restartMillisMax, Limits.restartMillisMin * 2 ** (failures! - 2))

/** When it may be started again, by the database's clock. */
export const restartAtMicros = ({ failedAt, failures }: Failing, policy: Policy): number =>
  (failedAt ?? 0) + restartMillis(failures, policy) * 1_000

/** In one line, and not longer than is stored of it. */
export const causeOf = (text: string): string => text.replaceAll(/\s+/g, " ").trim().slice(0, Limits.causeCharsMax)

export interface Failure {
  readonly retryMillis: number
  /** Why, where the work itself failed; undefined for what passes. */
  readonly cause: string | undefined
}

/** What a failure makes of the row: when it is tried again, or that it is not. */
export type Fate =
  | { readonly _tag: "Retry"; readonly failures: number | null; readonly failure: string | null }
  | { readonly _tag: "Park"; readonly failures: number; readonly failure: string }

export const fateOf = (failing: Failing, { cause }: Failure, policy: Policy): Fate => {
  if (cause === undefined) return { _tag: "Retry", failures: failing.failures, failure: failing.failure }
  const failures = (failing.failures ?? 0) + 1
  return { _tag: isExhausted({ failures }, policy) ? "Park" : "Retry", failures, failure: causeOf(cause) }
}

/** What is written of it. */
export const written = (fate: Fate, { cause, retryMillis }: Failure) => ({
  failures: fate.failures,
  failure: fate.failure,
  ...(cause === undefined ? {} : { failedAt: clockTimestamp }),
  ...(fate._tag === "Park"
    ? { parkedAt: clockTimestamp, dueAt: null }
    : { dueAt: add(clockTimestamp, Math.ceil(retryMillis) * 1_000) })
})
