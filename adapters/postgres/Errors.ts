/**
 * What Postgres and the driver say of a failure, as the port's reasons. Pure.
 *
 * What the server answered is final: the statement, and with it the transaction, has not happened. What it never answered is
 * `lost`, and only whoever knows what was sent can say whether that is `Unavailable` or `UnknownOutcome`.
 */
import type { SqlError } from "effect/sql/SqlError"
import {
  Aborted,
  CheckViolation,
  Deadlock,
  Fenced,
  type Reason,
  SerializationFailure,
  Timeout,
  Unavailable,
  UniqueViolation
} from "../../core/ports/Storage.ts"
import { fencedCode } from "./Sql.ts"

/** The fields of an ErrorResponse, as far as they are used. */
interface Fields {
  readonly code?: string
  readonly message?: string
  readonly detail?: string
  readonly table?: string
  readonly column?: string
  readonly constraint?: string
}

export type Failure =
  | { readonly _tag: "Refused"; readonly reason: Reason }
  /** The connection ended, or is about to. */
  | { readonly _tag: "Lost"; readonly reason: Unavailable }
  /** The caller's mistake, whatever the data. */
  | { readonly _tag: "Defect"; readonly defect: Error }

/** `table` is what the statement was about, for errors that name none. */
export const failureOf = (error: SqlError, table: string): Failure => {
  const fields = fieldsOf(error)
  const { code } = fields
  if (code === undefined) {
    // The driver could not say what it was told, or could not read the answer: neither is the network's doing.
    return error.reason._tag === "UnknownError"
      ? { _tag: "Defect", defect: new Error(`${table}: ${describe(error)}`) }
      : { _tag: "Lost", reason: new Unavailable({ detail: describe(error) }) }
  }
  const reason = reasonOf(code, fields, table)
  if (reason !== undefined) return { _tag: "Refused", reason }
  const detail = `${fields.message ?? "no message"} (${code})`
  if (isLoss(code)) return { _tag: "Lost", reason: new Unavailable({ detail }) }
  if (isTrouble(code)) return { _tag: "Refused", reason: new Unavailable({ detail }) }
  return { _tag: "Defect", defect: new Error(`${table}: ${detail}`) }
}

/** What went wrong, in one line. */
export const describe = (error: SqlError): string => {
  const { code, message } = fieldsOf(error)
  const text = code === undefined ? `${error.message}: ${message ?? ""}` : `${message ?? error.message} (${code})`
  return text
    .replace(/^PgConnection: /, "")
    .replaceAll(/\s+/g, " ")
    .replace(/: $/, "")
}

/** The SQLSTATE; undefined when the server did not say it. */
export const codeOf = (error: SqlError): string | undefined => fieldsOf(error).code

function fieldsOf({ reason }: SqlError): Fields {
  const cause: unknown = reason.cause
  if (!(cause instanceof Error)) return {}
  const { code } = cause as Fields
  // System errors have codes as well, and EPIPE is as long as a SQLSTATE; but each of those has a digit.
  return typeof code === "string" && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? (cause as Fields) : { message: cause.message }
}

function reasonOf(code: string, fields: Fields, statementTable: string): Reason | undefined {
  const table = fields.table ?? statementTable
  switch (code) {
    case "23505":
      return new UniqueViolation({ table, constraint: fields.constraint ?? "unknown" })
    case "23514":
      return new CheckViolation({ table, constraint: fields.constraint ?? "unknown" })
    case "23502":
      return new CheckViolation({ table, constraint: `${table}_${fields.column ?? "unknown"}_not_null` })
    // Beyond what a bigint or a timestamp can be, before any column could refuse it.
    case "22003":
    case "22008":
      return new CheckViolation({ table, constraint: "integer out of range" })
    // A text that is too long for its index, among others: whether it is depends on the data.
    case "54000":
      return new CheckViolation({ table, constraint: fields.constraint ?? indexIn(fields.message) ?? "too large" })
    case "40001":
      return new SerializationFailure()
    case "40P01":
      return new Deadlock()
    case "55P03":
      return new Timeout({ limit: "lock" })
    case "57014":
      return new Timeout({ limit: "statement" })
    case "25P03":
      return new Timeout({ limit: "idle-in-transaction" })
    case "25P02":
      return new Aborted()
    case fencedCode: {
      const { actualEpoch, epoch, lease } = JSON.parse(fields.detail ?? "{}") as typeof Fenced.Type
      return new Fenced({ lease, epoch, actualEpoch })
    }
    default:
      return undefined
  }
}

/** "index row size 2712 exceeds btree version 4 maximum 2704 for index "fleets_pkey"". */
function indexIn(message = ""): string | undefined {
  return /\bindex "([^"]+)"/.exec(message)?.[1]
}

/** The server ends the session with these, or has not begun it; 25P04 is an operator's `transaction_timeout` (Postgres 17). */
function isLoss(code: string): boolean {
  return code.startsWith("08") || code.startsWith("57P") || code === "25P04"
}

/** The server is well enough to answer, and cannot do what it was asked: roles, resources, the system below, a standby. */
function isTrouble(code: string): boolean {
  return /^(28|53|58|F0|XX)/.test(code) || code === "25006" || code === "57000"
}
