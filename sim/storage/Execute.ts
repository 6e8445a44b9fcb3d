/**
 * Statements, as Postgres' executor runs them. Each is a generator that yields whenever it must wait and goes on when it may
 * look again; what it returns is its answer, what it throws dooms its transaction.
 *
 * What is wrong whatever the data was refused before (`core/storage/checkStatement.ts`): every name is known, every kind fits.
 *
 * - X1 A row is looked for in the statement's snapshot, then locked in its newest version.
 * - X2 Read committed: when the row changed meanwhile, only that row is read again and the whole condition with it
 *   (Postgres' EvalPlanQual); a row that no longer qualifies is skipped and stays locked.
 * - X3 Repeatable read: when the row changed meanwhile, SerializationFailure (the first updater wins).
 * - X4 An update locks `for update` when a column of a unique constraint takes another value, else `for no key update`.
 *   In `on conflict do update` the columns that are set decide, whatever their values.
 * - X5 A new version enters the unique indexes one by one, waiting at each for the end of an uncommitted duplicate. Others
 *   meet it only in those that it has entered.
 * - X6 Serializable: as repeatable read, and every look and every write is told before it happens (Serializability.ts).
 * - X7 A transaction for one project looks for its rows only, and makes no other's; the row that an insert meets must be its own
 *   where it is to be changed. As with row security, that is asked of a new row before its checks.
 * - X8 A gate is part of the statement that it guards, and of its snapshot: who had to wait for it sees the rows as they were before.
 */
import { and, type Condition, value } from "../../core/ports/Condition.ts"
import {
  type Answer,
  type Assignments,
  type Fence,
  Fenced,
  type OnConflict,
  type RowLock,
  SerializationFailure,
  type Statement,
  UniqueViolation,
  leases
} from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { ownedBy } from "../../core/storage/ownedBy.ts"
import { StatementDefect } from "../../core/storage/StatementDefect.ts"
import { type Scope, type StatementClock, type StoredRow, compareText, evaluate, order, test } from "./Evaluate.ts"
import {
  conflictingHoldersOf,
  heldMode,
  hold,
  isBehindFollower,
  isBehindOthers,
  isHeldStill,
  mustWait,
  succeed
} from "./Locks.ts"
import type { HashIndex, Relation } from "./Relation.ts"
import { hasChangedSince, isCommitted, isHeldLater, latest, visible } from "./Snapshot.ts"
import type { Equalities, Serializability } from "./Serializability.ts"
import type { RowWait, Slot, Transaction, Version, Wait } from "./Transaction.ts"
import type { Validator } from "./Validate.ts"

/** A table with the rules for its rows. */
export interface Stored {
  readonly table: Table<unknown>
  readonly relation: Relation
  readonly validator: Validator
}

/** One running statement. */
export interface Execution {
  readonly transaction: Transaction
  readonly clock: StatementClock
  readonly find: (table: string) => Stored
  /** Called when a wait leaves the queue of a row, so that those behind it can move up. */
  readonly left: (wait: RowWait) => void
  /** Asked of who was set free together with others, before it locks a row or enters indexes: whether they go on first. */
  readonly givesWay: () => boolean
  /** Only for a serializable transaction. */
  readonly serializability: Serializability | undefined
}

/** `undefined` gives way to others who are free to go on. */
type Waiting<A> = Generator<Wait | undefined, A, void>

/** The answer at once, or a generator when the statement may have to wait. `gate`: fences around it, in one statement with it. */
export const execute = (
  execution: Execution,
  statement: Statement,
  gate: ReadonlyArray<Fence> = []
): Answer | Waiting<Answer> => (gate.length === 0 ? ungated(execution, statement) : gated(execution, statement, gate))

function ungated(execution: Execution, asked: Statement): Answer | Waiting<Answer> {
  const statement = owned(execution, asked)
  switch (statement._tag) {
    case "Select":
      return statement.lock === undefined
        ? select(execution, statement)
        : selectLocking(execution, statement, statement.lock)
    case "Count":
      return count(execution, statement)
    case "Insert":
      return insert(execution, statement)
    case "Update":
      return update(execution, statement)
    case "Delete":
      return remove(execution, statement)
    case "Fence":
      return fence(execution, statement)
  }
}

/** The same statement, about the rows that are the transaction's to see (X7). */
function owned({ find, transaction: { project } }: Execution, statement: Statement): Statement {
  if (project === undefined || statement._tag === "Fence" || statement._tag === "Insert") return statement
  const { table } = find(statement.table)
  return table.tenant === undefined ? statement : { ...statement, where: and(ownedBy(table, project), statement.where) }
}

/** Of a row that is made, or changed: `scope.row`. */
function requireOwned({ table }: Stored, scope: Scope, { project }: Transaction): void {
  if (project === undefined || test(ownedBy(table, project), scope) === true) return
  throw new StatementDefect(`new row violates row-level security policy for table "${table.name}"`)
}

/** Each fence in turn: a lease is locked when those before it hold. */
function* gated(execution: Execution, statement: Statement, gate: ReadonlyArray<Fence>): Waiting<Answer> {
  for (const fence of gate) requireEpoch(fence, yield* lockLease(execution, fence.lease))
  const { transaction } = execution
  transaction.fences = [...transaction.fences, ...gate]
  const answered = ungated(execution, statement)
  return "next" in answered ? yield* answered : answered
}

type Select = Extract<Statement, { readonly _tag: "Select" }>

function select(execution: Execution, statement: Select): Answer {
  const { limit = Infinity } = statement
  const found: Array<StoredRow> = []
  const isOrdered = statement.orderBy.length > 0
  if (limit === 0) return answer(found)
  for (const { row } of qualifying(execution, statement.table, statement.where)) {
    if (!isOrdered && found.length >= limit) break
    found.push(row)
  }
  if (isOrdered) found.sort(comparatorOf(statement))
  return answer(found.length > limit ? found.slice(0, limit) : found)
}

/** Sorted by what the snapshot shows, then locked one by one until the limit: rows changed meanwhile may be out of order. */
function* selectLocking(execution: Execution, statement: Select, lock: RowLock): Waiting<Answer> {
  const { limit = Infinity } = statement
  const scope = scopeOf(execution, statement.table)
  const locked: Array<StoredRow> = []
  if (limit === 0) return answer(locked)
  let targets: Iterable<Target> = qualifying(execution, statement.table, statement.where)
  if (statement.orderBy.length > 0) {
    const compare = comparatorOf(statement)
    targets = Array.from(targets).toSorted((left, right) => compare(left.row, right.row))
  }
  for (const { slot, version, row } of targets) {
    const acquired = yield* acquire(execution, slot, lock, version, {
      skipLocked: statement.skipLocked,
      isSelect: true
    })
    if (acquired === "held") locked.push(row)
    else if (acquired === "changed") {
      const newest = yield* follow(execution, scope, slot, lock, statement.where, statement.skipLocked)
      if (newest !== undefined) locked.push(newest.row!)
    }
    if (locked.length >= limit) break
  }
  return answer(locked)
}

function count(execution: Execution, statement: Extract<Statement, { readonly _tag: "Count" }>): Answer {
  let found = 0
  for (const _target of qualifying(execution, statement.table, statement.where)) found++
  return { rows: [], count: found }
}

function* update(execution: Execution, statement: Extract<Statement, { readonly _tag: "Update" }>): Waiting<Answer> {
  const stored = execution.find(statement.table)
  const scope = scopeOf(execution, statement.table)
  const change = changeOf(stored, statement.set)
  const updated: Array<StoredRow> = []
  for (const { slot, version } of qualifying(execution, statement.table, statement.where)) {
    const row = yield* updateRow(execution, stored, scope, change, slot, version, statement.where)
    if (row !== undefined) updated.push(row)
  }
  return answer(updated)
}

function* remove(execution: Execution, statement: Extract<Statement, { readonly _tag: "Delete" }>): Waiting<Answer> {
  const { relation } = execution.find(statement.table)
  const scope = scopeOf(execution, statement.table)
  const removed: Array<StoredRow> = []
  for (const { slot, version } of qualifying(execution, statement.table, statement.where)) {
    const acquired = yield* acquire(execution, slot, "for update", version, writing)
    if (acquired === "changed") yield* requeue(execution, slot, "for update", version)
    const current =
      acquired === "held" ? version : yield* follow(execution, scope, slot, "for update", statement.where, false)
    if (current === undefined) continue
    write(execution, relation, slot, undefined, false)
    removed.push(current.row!)
  }
  return answer(removed)
}

/** Locks every lease, in the order of their keys whatever the order of the fences, then compares. */
function* fence(execution: Execution, { fences }: Extract<Statement, { readonly _tag: "Fence" }>): Waiting<Answer> {
  const { transaction } = execution
  const epochs = new Map<string, number | null>()
  for (const lease of new Set(fences.map(({ lease }) => lease).toSorted(compareText))) {
    epochs.set(lease, yield* lockLease(execution, lease))
  }
  for (const fence of fences) requireEpoch(fence, epochs.get(fence.lease) ?? null)
  transaction.fences = [...transaction.fences, ...fences]
  return answer([])
}

/** The epoch of a lease, locked `for key share`, which a renewal passes and a change of epoch does not. Null: there is none. */
function* lockLease(execution: Execution, lease: string): Waiting<number | null> {
  const scope = scopeOf(execution, leases.name)
  const where: Condition = { _tag: "Compare", operator: "=", left: leases.row.key, right: value(lease) }
  let row: StoredRow | undefined
  for (const target of qualifying(execution, leases.name, where)) {
    const acquired = yield* acquire(execution, target.slot, "for key share", target.version, { isSelect: true })
    row =
      acquired === "held"
        ? target.row
        : (yield* follow(execution, scope, target.slot, "for key share", where, false))?.row
  }
  return (row?.["epoch"] ?? null) as number | null
}

function requireEpoch({ epoch, lease }: Fence, actualEpoch: number | null): void {
  if (actualEpoch !== epoch) throw new Fenced({ lease, epoch, actualEpoch })
}

function* insert(execution: Execution, statement: Extract<Statement, { readonly _tag: "Insert" }>): Waiting<Answer> {
  const stored = execution.find(statement.table)
  const { onConflict } = statement
  const resolution = onConflict === undefined ? undefined : resolutionOf(stored, onConflict)
  const scope = scopeOf(execution, statement.table)
  const written: Array<StoredRow> = []
  for (const values of statement.rows) {
    scope.row = undefined
    scope.excluded = undefined
    const row = proposedRow(execution, stored, scope, values)
    const result =
      resolution === undefined
        ? yield* insertRow(execution, stored, row)
        : yield* insertOrResolve(execution, stored, scope, row, resolution)
    if (result !== undefined) written.push(result)
  }
  return answer(written)
}

function* insertRow(execution: Execution, { relation }: Stored, row: StoredRow): Waiting<StoredRow> {
  const slot = addSlot(execution, relation, row)
  yield* enterIndexes(execution, relation, slot, row, relation.indexes)
  return row
}

interface Resolution {
  readonly onConflict: OnConflict
  /** The unique constraints that the target names. */
  readonly arbiters: ReadonlyArray<HashIndex>
  readonly change: Change | undefined
}

/**
 * `on conflict`: waits for uncommitted duplicates in the target, then inserts, or leaves or updates what it found. Begins
 * again when the row it found has changed, or when a duplicate came while another constraint made it wait.
 */
function* insertOrResolve(
  execution: Execution,
  stored: Stored,
  scope: Scope,
  row: StoredRow,
  { onConflict, arbiters, change }: Resolution
): Waiting<StoredRow | undefined> {
  const { transaction } = execution
  const { relation } = stored
  for (;;) {
    const existing = yield* findDuplicate(execution, arbiters, row)
    if (existing === undefined) {
      const slot = addSlot(execution, relation, row)
      const isAlone = yield* enterIndexes(execution, relation, slot, row, relation.indexes, arbiters)
      if (isAlone) return row
      relation.undo(slot, transaction)
      transaction.written.delete(slot)
      continue
    }
    const { slot, version } = existing
    if (onConflict._tag === "Nothing") {
      requireVisible(transaction, version)
      return undefined
    }
    if (version.writer === transaction && version.command === transaction.command) {
      throw new StatementDefect(`${relation.name}: on conflict do update cannot affect a row a second time`)
    }
    const acquired = yield* acquire(execution, slot, change!.mode, version)
    if (acquired === "changed") {
      if (transaction.isolation !== "read committed") throw new SerializationFailure()
      continue
    }
    requireVisible(transaction, version)
    scope.row = version.row
    scope.excluded = row
    if (test(onConflict.where, scope) !== true) return undefined
    requireOwned(stored, scope, transaction)
    return yield* updateRow(execution, stored, scope, change!, slot, version, onConflict.where)
  }
}

/** A change of columns, with the lock that the columns named call for. */
interface Change {
  readonly set: ReadonlyArray<readonly [string, Assignments[string]]>
  readonly keyColumns: ReadonlyArray<string>
  readonly mode: RowLock
  /** Those over any of the columns. */
  readonly indexes: ReadonlyArray<HashIndex>
}

function* updateRow(
  execution: Execution,
  stored: Stored,
  scope: Scope,
  change: Change,
  slot: Slot,
  found: Version,
  where: Condition
): Waiting<StoredRow | undefined> {
  let basis = found
  for (;;) {
    const before = basis.row!
    const after = changedRow(execution, stored, scope, change, before)
    const keyChanged = change.keyColumns.some((column) => before[column] !== after[column])
    const mode = keyChanged ? "for update" : "for no key update"
    const acquired = yield* acquire(execution, slot, mode, basis, writing)
    if (acquired === "held") {
      write(execution, stored.relation, slot, after, change.indexes.length > 0)
      if (execution.givesWay()) yield
      yield* enterIndexes(execution, stored.relation, slot, after, change.indexes)
      return after
    }
    yield* requeue(execution, slot, mode, basis)
    const newest = yield* follow(execution, scope, slot, mode, where, false)
    if (newest === undefined) return undefined
    basis = newest
  }
}

interface Target {
  readonly slot: Slot
  readonly version: Version
  readonly row: StoredRow
}

/** The rows that the snapshot shows and the condition accepts, each tested when it is reached. */
function* qualifying(execution: Execution, table: string, where: Condition): Generator<Target, void, void> {
  const { transaction } = execution
  const { relation } = execution.find(table)
  const scope = scopeOf(execution, table)
  const fixed = equalities(where)
  execution.serializability?.read(transaction, relation, fixed)
  for (const slot of relation.candidates(fixed)) {
    const version = visible(slot, transaction)
    if (version?.row === undefined) continue
    scope.row = version.row
    if (test(where, scope) === true) yield { slot, version, row: version.row }
  }
}

const writing = { isWriting: true } as const

/**
 * Locks the row unless another transaction has changed it since `basis`. `isSelect`: a locking select that has waited and
 * found a change also waits for who holds the changed row now, in its place in the queue, even when it will only be refused.
 */
function* acquire(
  execution: Execution,
  slot: Slot,
  mode: RowLock,
  basis: Version,
  options: { readonly skipLocked?: boolean; readonly isSelect?: boolean; readonly isWriting?: boolean } = {}
): Waiting<"held" | "changed" | "skipped"> {
  const { transaction } = execution
  if (execution.givesWay()) yield
  let wait: RowWait | undefined
  try {
    for (;;) {
      // Having waited for an update that was rolled back, `for key share` no longer asks who has locked the version since.
      const isOverlooked = mode === "for key share" && wait?.isQueued === false && slot.head === basis
      const isFree = isOverlooked || !mustWait(slot, transaction, mode, wait)
      let isQueued = false
      if (hasChangedSince(slot, basis, mode)) {
        // Others may hold the version read still, beside whoever has changed it: they are awaited all the same.
        const isHeld = conflictingHoldersOf(basis, slot, transaction, mode).length > 0
        const isBehind = isBehindOthers(basis, slot, transaction, mode, wait)
        if ((isHeld || isBehind) && wait === undefined && options.skipLocked === true) return "skipped"
        // Where somebody is changing the version, or it is held still, a select locks the newer ones too, come of it what may.
        const isChained =
          options.isSelect === true && (wait === undefined ? isHeldStill(basis, slot) : wait.hasMetChange)
        const isFollowing = isChained && !isFree
        if (!isHeld && !isBehind && !isFollowing && !isBehindFollower(wait)) {
          if (isChained) hold(slot, transaction, mode, successorOf(slot, basis), false)
          return "changed"
        }
        if (wait !== undefined) wait.isFollowing ||= isFollowing
        isQueued = wait?.isQueued ?? heldMode(slot, transaction) === undefined
      } else if (isFree) {
        hold(slot, transaction, mode, basis, options.isWriting === true)
        return "held"
      } else {
        const isHeld = !(mode === "for key share" && slot.head !== basis && isHeldLater(slot, basis))
        if (isHeld && options.skipLocked === true) return "skipped"
        isQueued = isHeld && heldMode(slot, transaction) === undefined
      }
      if (wait === undefined || (wait.isQueued && !isQueued)) {
        if (wait !== undefined) leave(execution, wait)
        wait = {
          _tag: "Row",
          transaction,
          slot,
          mode,
          version: basis,
          isQueued,
          isFollowing: false,
          hasMetChange: slot.head !== basis,
          releasedBy: undefined
        }
        ;(slot.queue ??= []).push(wait)
      }
      yield wait
    }
  } finally {
    if (wait !== undefined) leave(execution, wait)
  }
}

/** The version that took the place of this one. */
function successorOf({ head }: Slot, version: Version): Version {
  let successor = head
  while (successor !== undefined && successor.previous !== version) successor = successor.previous
  if (successor === undefined) throw new Error("a version that was changed has a successor")
  return successor
}

/** Gives up a place in the queue of a row. */
function leave({ left }: Execution, wait: RowWait): void {
  const { slot } = wait
  const remaining = slot.queue!.filter((other) => other !== wait)
  slot.queue = remaining.length === 0 ? undefined : remaining
  left(wait)
}

/** Who meant to change a row and met a change first locks, as a select would, the version it read: at the end of its queue. */
function* requeue(execution: Execution, slot: Slot, mode: RowLock, basis: Version): Waiting<void> {
  if (execution.transaction.isolation === "read committed") yield* acquire(execution, slot, mode, basis)
}

/** The newest version, locked and tested again after a change; `undefined` when the row is gone or no longer qualifies. */
function* follow(
  execution: Execution,
  scope: Scope,
  slot: Slot,
  mode: RowLock,
  where: Condition,
  skipLocked: boolean
): Waiting<Version | undefined> {
  const { transaction } = execution
  if (transaction.isolation !== "read committed") throw new SerializationFailure()
  for (;;) {
    const newest = latest(slot, transaction)
    if (newest?.row === undefined) return undefined
    const { writer } = slot.head!
    if (slot.head !== newest) {
      // Whoever is changing it is awaited outside of the queue, whatever the lock.
      if (skipLocked) return undefined
      yield { _tag: "Transaction", transaction, awaited: writer, constraint: slot.home.name, releasedBy: undefined }
      continue
    }
    const acquired = yield* acquire(execution, slot, mode, newest, { skipLocked })
    if (acquired === "skipped") return undefined
    if (acquired === "held") {
      scope.row = newest.row
      return test(where, scope) === true ? newest : undefined
    }
  }
}

/** What stands in the way of a key: a row with it, or an unfinished transaction that may leave one. */
type Duplicate = { readonly slot: Slot; readonly version: Version } | { readonly awaited: Transaction }

function duplicateIn(
  index: HashIndex,
  row: StoredRow,
  own: Slot | undefined,
  transaction: Transaction
): Duplicate | undefined {
  const bucket = index.bucket(row)
  if (bucket === undefined) return undefined
  const key = index.keyOf(row)
  const hasKey = ({ missing, row }: Version) =>
    row !== undefined && index.keyOf(row) === key && missing?.includes(index.name) !== true
  for (const slot of bucket) {
    const head = slot.head
    if (slot === own || head === undefined) continue
    if (head.writer === transaction || isCommitted(head)) {
      if (hasKey(head)) return { slot, version: head }
      continue
    }
    for (let version: Version | undefined = head; version !== undefined; version = version.previous) {
      if (hasKey(version)) return { awaited: head.writer }
      if (isCommitted(version)) break
    }
  }
  return undefined
}

/** The committed or own row with this key in one of the constraints, after waiting for those that were not certain. */
function* findDuplicate(
  execution: Execution,
  arbiters: ReadonlyArray<HashIndex>,
  row: StoredRow
): Waiting<{ readonly slot: Slot; readonly version: Version } | undefined> {
  const { transaction } = execution
  for (const index of arbiters) {
    for (;;) {
      const found = duplicateIn(index, row, undefined, transaction)
      if (found === undefined) break
      if ("slot" in found) return found
      yield { _tag: "Transaction", transaction, awaited: found.awaited, constraint: index.name, releasedBy: undefined }
    }
  }
  return undefined
}

/** False when one of the arbiters holds a duplicate; a duplicate in another unique constraint is a violation. */
function* enterIndexes(
  execution: Execution,
  relation: Relation,
  slot: Slot,
  row: StoredRow,
  indexes: ReadonlyArray<HashIndex>,
  arbiters: ReadonlyArray<HashIndex> = []
): Waiting<boolean> {
  const { serializability, transaction } = execution
  const version = slot.head!
  for (const [position, index] of indexes.entries()) {
    while (relation.uniques.includes(index)) {
      const found = duplicateIn(index, row, slot, transaction)
      if (found === undefined) break
      if (arbiters.includes(index)) return false
      if ("slot" in found) {
        serializability?.requireSound(transaction)
        throw new UniqueViolation({ table: relation.name, constraint: index.name })
      }
      version.missing = indexes.slice(position).map(({ name }) => name)
      yield { _tag: "Transaction", transaction, awaited: found.awaited, constraint: index.name, releasedBy: undefined }
    }
    serializability?.requireSound(transaction)
    index.add(slot, row)
  }
  version.missing = undefined
  return true
}

function addSlot({ serializability, transaction }: Execution, relation: Relation, row: StoredRow): Slot {
  serializability?.write(transaction, relation, undefined, row)
  const slot = relation.insert(row, transaction, transaction.command)
  transaction.written.add(slot)
  return slot
}

function write(
  { serializability, transaction }: Execution,
  relation: Relation,
  slot: Slot,
  row: StoredRow | undefined,
  reindexed: boolean
): void {
  serializability?.write(transaction, relation, slot.head?.row, row)
  const lock = heldMode(slot, transaction) ?? "for no key update"
  succeed(slot, {
    row,
    writer: transaction,
    command: transaction.command,
    lock,
    reindexed,
    missing: undefined,
    exclusive: undefined,
    previous: slot.head
  })
  transaction.written.add(slot)
}

function proposedRow({ transaction }: Execution, stored: Stored, scope: Scope, values: Assignments): StoredRow {
  const { relation, validator } = stored
  const row: Record<string, unknown> = {}
  for (const column of relation.columns) {
    const expression = values[column]
    row[column] = validator.accept(column, expression === undefined ? null : evaluate(expression, scope))
  }
  scope.row = Object.freeze(row)
  requireOwned(stored, scope, transaction)
  validator.check(scope)
  return row
}

function changedRow(
  { transaction }: Execution,
  stored: Stored,
  scope: Scope,
  change: Change,
  before: StoredRow
): StoredRow {
  const { validator } = stored
  const after: Record<string, unknown> = { ...before }
  scope.row = before
  for (const [column, expression] of change.set) after[column] = validator.accept(column, evaluate(expression, scope))
  scope.row = Object.freeze(after)
  requireOwned(stored, scope, transaction)
  validator.check(scope)
  return after
}

function changeOf({ relation }: Stored, assignments: Assignments): Change {
  const set: Array<readonly [string, Assignments[string]]> = []
  const keyColumns: Array<string> = []
  let isIndexed = false
  for (const column of Object.keys(assignments)) {
    const expression = assignments[column]
    if (expression === undefined) continue
    set.push([column, expression])
    if (relation.keyColumns.has(column)) keyColumns.push(column)
    isIndexed ||= relation.indexedColumns.has(column)
  }
  return {
    set,
    keyColumns,
    mode: keyColumns.length > 0 ? "for update" : "for no key update",
    indexes: isIndexed
      ? relation.indexes.filter(({ columns }) => columns.some((column) => assignments[column] !== undefined))
      : []
  }
}

function resolutionOf(stored: Stored, onConflict: OnConflict): Resolution {
  const { uniques } = stored.relation
  const { target } = onConflict
  const arbiters =
    target.length === 0 && onConflict._tag === "Nothing"
      ? uniques
      : uniques.filter(
          ({ columns }) => columns.length === target.length && columns.every((column) => target.includes(column))
        )
  return { onConflict, arbiters, change: onConflict._tag === "Nothing" ? undefined : changeOf(stored, onConflict.set) }
}

/** A row that the snapshot does not show cannot be resolved with under repeatable read. */
function requireVisible(transaction: Transaction, version: Version): void {
  if (transaction.isolation === "read committed" || version.writer === transaction) return
  if (version.writer.commitSequence > transaction.snapshot!) throw new SerializationFailure()
}

/** The values that the condition fixes columns to, for the indexes; `undefined` when it fixes none. */
function equalities(where: Condition): Equalities {
  const fixed = new Map<string, ReadonlyArray<unknown>>()
  collectEqualities(where, fixed)
  return fixed.size === 0 ? undefined : fixed
}

function collectEqualities(where: Condition, fixed: Map<string, ReadonlyArray<unknown>>): void {
  if (where._tag === "And") {
    for (const part of where.conditions) collectEqualities(part, fixed)
  } else if (where._tag === "Compare" && where.operator === "=") {
    const { left, right } = where
    if (left._tag === "Column" && left.from === "row" && right._tag === "Value") fix(left.name, [right.value])
    else if (right._tag === "Column" && right.from === "row" && left._tag === "Value") fix(right.name, [left.value])
  } else if (where._tag === "In" && where.expression._tag === "Column" && where.expression.from === "row") {
    fix(where.expression.name, where.values)
  }

  function fix(name: string, values: ReadonlyArray<unknown>): void {
    if (!fixed.has(name)) {
      fixed.set(
        name,
        values.filter((value) => value !== null && value !== undefined)
      )
    }
  }
}

function scopeOf({ transaction, clock }: Execution, table: string): Scope {
  return { table, row: undefined, excluded: undefined, transaction, clock }
}

function comparatorOf({ orderBy }: Select): (left: StoredRow, right: StoredRow) => number {
  return (left, right) => {
    for (const { column, direction } of orderBy) {
      const leftValue = left[column]
      const rightValue = right[column]
      const ordered = order(leftValue, rightValue)
      if (ordered !== 0) return direction === "asc" ? ordered : -ordered
    }
    return 0
  }
}

function answer(rows: ReadonlyArray<StoredRow>): Answer {
  return { rows, count: rows.length }
}
