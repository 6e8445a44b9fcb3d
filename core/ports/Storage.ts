/**
 * The storage port: typed tables and transactions, relational because production data lives in Postgres, and small
 * because it is modelled.
 *
 * - S1 One call is one statement. Calls inside a body are serialised.
 * - S2 Fences are the first statement of their transaction: the lease rows are locked `for key share` and their epochs
 *   compared, so that the check and every write, inserts included, are one atomic thing.
 * - S3 Any error of a statement dooms its transaction: later calls fail with `Aborted` until it ends.
 * - S4 The port never retries. `UnknownOutcome` means that the transaction may have committed; only an operation id
 *   written inside it can tell.
 * - S5 Every session has statement, lock and idle-in-transaction timeouts.
 * - S6 A transaction for one project sees and writes no row of another, whatever its statements ask for (`Table.tenant`): others are
 *   as if they were not there, and to write one is a defect. It is the second wall; what a statement asks for is the first.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  type Condition,
  type Expression,
  type Operand,
  type Row,
  always,
  column,
  toExpression,
  value
} from "./Condition.ts"
import { type RowOf, type Table, integer, make, nullable, text, timestamp } from "./Table.ts"

/** Another row already holds these key values. */
export class UniqueViolation extends Schema.TaggedError<UniqueViolation>()("UniqueViolation", {
  table: Schema.String,
  constraint: Schema.String
}) {
  override get message() {
    return `${this.table}: ${this.constraint} is taken`
  }
}

/** A row would break a declared check, a word list or a not-null column. */
export class CheckViolation extends Schema.TaggedError<CheckViolation>()("CheckViolation", {
  table: Schema.String,
  constraint: Schema.String
}) {
  override get message() {
    return `${this.table}: violates ${this.constraint}`
  }
}

/** A concurrent transaction changed what this one read or wants to write. Safe to retry as a whole. */
export class SerializationFailure extends Schema.TaggedError<SerializationFailure>()("SerializationFailure", {}) {
  override get message() {
    return "could not serialize access due to a concurrent update"
  }
}

/** Two transactions waited for each other; this one was chosen to end. Safe to retry as a whole. */
export class Deadlock extends Schema.TaggedError<Deadlock>()("Deadlock", {}) {
  override get message() {
    return "deadlock detected"
  }
}

/** The lease is held under another epoch: whoever acts here was deposed. Never retried. */
export class Fenced extends Schema.TaggedError<Fenced>()("Fenced", {
  lease: Schema.String,
  epoch: Schema.Int,
  actualEpoch: Schema.NullOr(Schema.Int)
}) {
  override get message() {
    return `lease ${this.lease}: epoch ${this.epoch} is stale, the lease has ${this.actualEpoch ?? "no row"}`
  }
}

export class Timeout extends Schema.TaggedError<Timeout>()("Timeout", {
  limit: Schema.Literals(["statement", "lock", "idle-in-transaction"])
}) {
  override get message() {
    return `${this.limit} timeout`
  }
}

/** No session could be had, or it was lost before COMMIT was sent: nothing happened. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", { detail: Schema.String }) {
  override get message() {
    return `database unavailable: ${this.detail}`
  }
}

/** The transaction was doomed by an earlier error. */
export class Aborted extends Schema.TaggedError<Aborted>()("Aborted", {}) {
  override get message() {
    return "current transaction is aborted, commands are ignored until it ends"
  }
}

/** COMMIT was sent and its answer never came: the transaction has committed, or has not, or will. */
export class UnknownOutcome extends Schema.TaggedError<UnknownOutcome>()("UnknownOutcome", {}) {
  override get message() {
    return "the outcome of the commit is unknown"
  }
}

export const Reason = Schema.Union([
  UniqueViolation,
  CheckViolation,
  SerializationFailure,
  Deadlock,
  Fenced,
  Timeout,
  Unavailable,
  Aborted,
  UnknownOutcome
])
export type Reason = typeof Reason.Type

/** The one error of the port. `label` names the transaction that failed. */
export class StorageError extends Schema.TaggedError<StorageError>()("StorageError", {
  label: Schema.String,
  reason: Reason
}) {
  override get message() {
    return `${this.label}: ${this.reason.message}`
  }
}

/** Leases live in the port because fencing does: `epoch` rises whenever the holder changes or re-acquires. */
export const leases = make("leases", {
  columns: {
    key: text,
    holder: text,
    epoch: integer,
    acquiredAt: timestamp,
    renewedAt: timestamp,
    expiresAt: timestamp,
    releasedAt: nullable(timestamp)
  },
  primaryKey: ["key"],
  // (key, epoch) is unique so that a change of epoch conflicts with `for key share` and a renewal does not.
  unique: [["key", "epoch"]],
  indexes: [["holder"]],
  topics: { releasedAt: "released" }
})
export type LeaseRow = RowOf<typeof leases>

export interface Fence {
  readonly lease: string
  readonly epoch: number
}

export type Isolation = "read committed" | "repeatable read" | "serializable"

export type RowLock = "for update" | "for no key update" | "for share" | "for key share"

/** A statement as it travels: data only, one SQL statement each. */
export type Statement =
  | { readonly _tag: "Fence"; readonly fences: ReadonlyArray<Fence> }
  | {
      readonly _tag: "Select"
      readonly table: string
      readonly where: Condition
      readonly orderBy: ReadonlyArray<{ readonly column: string; readonly direction: "asc" | "desc" }>
      readonly limit: number | undefined
      readonly lock: RowLock | undefined
      readonly skipLocked: boolean
    }
  | { readonly _tag: "Count"; readonly table: string; readonly where: Condition }
  | {
      readonly _tag: "Insert"
      readonly table: string
      readonly rows: ReadonlyArray<Assignments>
      readonly onConflict: OnConflict | undefined
    }
  | { readonly _tag: "Update"; readonly table: string; readonly where: Condition; readonly set: Assignments }
  | { readonly _tag: "Delete"; readonly table: string; readonly where: Condition }

export type Assignments = Readonly<Record<string, Expression<unknown>>>

export type OnConflict =
  | { readonly _tag: "Nothing"; readonly target: ReadonlyArray<string> }
  | {
      readonly _tag: "Update"
      readonly target: ReadonlyArray<string>
      readonly set: Assignments
      /** Over the existing row (`row`) and the proposed one (`excluded`). A row that fails it is left and not returned. */
      readonly where: Condition
    }

/** The rows that a statement returned; `count` alone for `Count`. Writes return the rows as they are after (or, deleted, before). */
export interface Answer {
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly count: number
}

type Values<R> = { readonly [K in keyof R]: Operand<R[K]> }
type Column<R> = keyof R & string

export interface SelectOptions<R> {
  readonly where?: (row: Row<R>) => Condition
  readonly orderBy?: ReadonlyArray<Column<R> | { readonly column: Column<R>; readonly direction: "asc" | "desc" }>
  readonly limit?: number
  readonly lock?: RowLock
  readonly skipLocked?: boolean
}

export interface InsertOptions<R> {
  readonly onConflict?:
    | { readonly target: ReadonlyArray<Column<R>>; readonly action: "nothing" }
    | {
        readonly target: ReadonlyArray<Column<R>>
        readonly action: "update"
        readonly set: (existing: Row<R>, excluded: Row<R>) => Partial<Values<R>>
        readonly where?: (existing: Row<R>, excluded: Row<R>) => Condition
      }
}

type Answered<A> = Effect.Effect<A, StorageError>

/** The calls of one transaction, or (from `Storage`) each a transaction of its own. */
export interface Transaction {
  /** The row with this primary key; `undefined` when there is none. */
  readonly get: <R>(table: Table<R>, key: Partial<R>, options?: { readonly lock?: RowLock }) => Answered<R | undefined>
  readonly select: <R>(table: Table<R>, options?: SelectOptions<R>) => Answered<ReadonlyArray<R>>
  readonly count: <R>(table: Table<R>, where?: (row: Row<R>) => Condition) => Answered<number>
  /** Returns the rows inserted or updated; those skipped by `onConflict` are missing. Waits for an uncommitted duplicate. */
  readonly insert: <R>(
    table: Table<R>,
    rows: Values<R> | ReadonlyArray<Values<R>>,
    options?: InsertOptions<R>
  ) => Answered<ReadonlyArray<R>>
  readonly update: <R>(
    table: Table<R>,
    options: { readonly where: (row: Row<R>) => Condition; readonly set: (row: Row<R>) => Partial<Values<R>> }
  ) => Answered<ReadonlyArray<R>>
  readonly delete: <R>(
    table: Table<R>,
    options: { readonly where: (row: Row<R>) => Condition }
  ) => Answered<ReadonlyArray<R>>
}

export interface TransactionOptions {
  /** Names the transaction in errors, facts and traces: "lease/renew". */
  readonly label: string
  /** Default "read committed". */
  readonly isolation?: Isolation
  readonly fences?: ReadonlyArray<Fence>
  /** The one project that it is done for, never empty; undefined for work of the system, which sees all rows. */
  readonly project?: string | undefined
}

export class Storage extends Context.Service<
  Storage,
  {
    /**
     * Runs `body` in one transaction: committed when it succeeds, rolled back when it fails, dies or is interrupted.
     * Interruption during COMMIT leaves the outcome unknown to the caller, who is gone.
     */
    readonly transaction: <A, E, R>(
      body: (transaction: Transaction) => Effect.Effect<A, E, R>,
      options: TransactionOptions
    ) => Effect.Effect<A, E | StorageError, R>
    /** One statement, with its fences, as a transaction of its own in one round trip. */
    readonly once: <A>(
      call: (transaction: Transaction) => Answered<A>,
      options: Omit<TransactionOptions, "isolation">
    ) => Answered<A>
  }
>()("stormglass/core/ports/Storage") {}

/**
 * The typed calls over `execute`; every implementation of the port shares this translation. Dies when a document is not
 * what its column's schema says, going in or coming out.
 */
export const makeTransaction = (execute: (statement: Statement) => Answered<Answer>): Transaction => {
  const rows = <R>(table: Table<R>, statement: Statement): Answered<ReadonlyArray<R>> =>
    Effect.map(execute(statement), (answer) => decoded(table, answer.rows))
  return {
    get: <R>(table: Table<R>, key: Partial<R>, options?: { readonly lock?: RowLock }) =>
      Effect.map(
        rows(table, {
          _tag: "Select",
          table: table.name,
          where: {
            _tag: "And",
            conditions: table.primaryKey.map((name) => ({
              _tag: "Compare",
              operator: "=",
              left: column(name),
              right: toExpression((key as Record<string, unknown>)[name])
            }))
          },
          orderBy: [],
          limit: undefined,
          lock: options?.lock,
          skipLocked: false
        }),
        (found) => found[0]
      ),
    select: <R>(table: Table<R>, options: SelectOptions<R> = {}) =>
      rows(table, {
        _tag: "Select",
        table: table.name,
        where: options.where?.(table.row) ?? always,
        orderBy: (options.orderBy ?? []).map((by) => (typeof by === "string" ? { column: by, direction: "asc" } : by)),
        limit: options.limit,
        lock: options.lock,
        skipLocked: options.skipLocked ?? false
      }),
    count: (table, where) =>
      Effect.map(
        execute({ _tag: "Count", table: table.name, where: where?.(table.row) ?? always }),
        (answer) => answer.count
      ),
    insert: <R>(table: Table<R>, values: Values<R> | ReadonlyArray<Values<R>>, options: InsertOptions<R> = {}) => {
      const { onConflict } = options
      return rows(table, {
        _tag: "Insert",
        table: table.name,
        rows: (Array.isArray(values) ? values : [values]).map((row: object) => assignments(table, row)),
        onConflict:
          onConflict === undefined
            ? undefined
            : onConflict.action === "nothing"
              ? { _tag: "Nothing", target: onConflict.target }
              : {
                  _tag: "Update",
                  target: onConflict.target,
                  set: assignments(table, onConflict.set(table.row, table.excluded)),
                  where: onConflict.where?.(table.row, table.excluded) ?? always
                }
      })
    },
    update: <R>(
      table: Table<R>,
      options: { readonly where: (row: Row<R>) => Condition; readonly set: (row: Row<R>) => Partial<Values<R>> }
    ) =>
      rows(table, {
        _tag: "Update",
        table: table.name,
        where: options.where(table.row),
        set: assignments(table, options.set(table.row))
      }),
    delete: <R>(table: Table<R>, options: { readonly where: (row: Row<R>) => Condition }) =>
      rows(table, { _tag: "Delete", table: table.name, where: options.where(table.row) })
  }
}

/** A property that is undefined is one that was not given. */
function assignments({ codecs }: Table<unknown>, values: object): Assignments {
  const assigned: Record<string, Expression<unknown>> = {}
  for (const [name, operand] of Object.entries(values))
    if (operand !== undefined) assigned[name] = toExpression(operand)
  for (const [name, codec] of codecs) {
    const given = assigned[name]
    if (given?._tag === "Value" && given.value !== null) assigned[name] = value(codec.encode(given.value))
  }
  return assigned
}

function decoded<R>({ codecs }: Table<R>, rows: Answer["rows"]): ReadonlyArray<R> {
  if (codecs.length === 0) return rows as unknown as ReadonlyArray<R>
  return rows.map((row) => {
    const copy: Record<string, unknown> = { ...row }
    for (const [name, codec] of codecs) if (copy[name] !== null) copy[name] = codec.decode(copy[name])
    return copy as R
  })
}
