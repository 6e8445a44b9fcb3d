/**
 * A model of Postgres: tables with row versions, sessions, row locks, snapshots. Pure, synchronous and deterministic: the
 * same calls in the same order give the same answers. Time comes from outside.
 *
 * - E1 Commits are totally ordered; a snapshot is a position in that order.
 * - E2 Those who waited are looked at in the order in which what they waited for was released, after the call that
 *   released it has done its own work; nobody waits for a transaction that has ended.
 * - E3 The committed state changes by commits only, each told to `onCommit` once, in order, if it changed a row.
 * Absent on purpose: savepoints, sequences, triggers, foreign keys, timeouts and everything else that a clock or a wire would
 * do (SimDatabase.ts).
 */
import type { RowChange } from "../../core/facts/Envelope.ts"
import { Deadlock, type Fence, type Statement } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { rowKeyOf } from "../../core/ports/rowKeyOf.ts"
import { StatementDefect } from "../../core/storage/StatementDefect.ts"
import { checkStatement } from "../../core/storage/checkStatement.ts"
import type { StatementClock, StoredRow } from "./Evaluate.ts"
import type { Execution, Stored } from "./Execute.ts"
import { blockers, findCycle, grantable, heads, release, succeed } from "./Locks.ts"
import { Relation } from "./Relation.ts"
import { type ReadTracking, Serializability } from "./Serializability.ts"
import { type Begin, Session, type SessionHost } from "./Session.ts"
import { isCommitted } from "./Snapshot.ts"
import { type RowWait, type Slot, Transaction, type Wait } from "./Transaction.ts"
import { makeValidator } from "./Validate.ts"

/** One commit: the net change of every row, in order of first touch. */
export interface Commit {
  readonly transactionId: number
  readonly label: string
  readonly fences: ReadonlyArray<Fence>
  readonly atMicros: number
  readonly changes: ReadonlyArray<RowChange>
}

export interface EngineOptions {
  readonly tables: ReadonlyArray<Table<unknown>>
  /** The database's clock: whole microseconds. */
  readonly clockMicros: () => number
  /** How often that clock was set so far. */
  readonly clockSettings?: () => number
  /** A statement depends on a time that was taken when the clock had been set so often. */
  readonly onTimeUsed?: (clockSettings: number) => void
  /**
   * `immediate`: who closes a cycle of waits fails at once. `on demand`: `checkDeadlock` does it, as Postgres' timer would
   * (default).
   */
  readonly deadlockDetection?: "immediate" | "on demand"
  /** How exactly serializable transactions remember what they read (default `keys`). */
  readonly readTracking?: ReadTracking
  /**
   * Which of several sessions, all free to go on, does so first; a position in the list. In Postgres the operating system decides
   * (default: the one that was set free first).
   */
  readonly nextWoken?: (woken: ReadonlyArray<Session>) => number
  /** Whether who goes on lets the others who are free to do so overtake before its next step (default: never). */
  readonly givesWay?: () => boolean
  readonly onCommit?: (commit: Commit) => void
  readonly onWait?: (session: Session, wait: Wait, blockers: ReadonlyArray<Transaction>) => void
  /** `wait.releasedBy` is the transaction whose end let it go on. Not called when the statement was cancelled. */
  readonly onGranted?: (session: Session, wait: Wait) => void
}

export class Engine implements SessionHost {
  readonly #options: EngineOptions
  readonly #stored = new Map<string, Stored>()
  readonly #sessions = new Map<number, Session>()
  readonly #sessionOf = new Map<Transaction, Session>()
  /** Transactions whose snapshot outlives the call, so that old versions must stay. */
  readonly #pinned = new Set<Transaction>()
  readonly #prunable: Array<{ readonly slot: Slot; readonly sequence: number }> = []
  readonly #woken: Array<Session> = []
  readonly #serializability: Serializability
  #depth = 0
  #commitSequence = 0
  #nextSessionId = 1
  #nextTransactionId = 1

  constructor(options: EngineOptions) {
    this.#options = options
    this.#serializability = new Serializability(options.readTracking ?? "keys")
    for (const table of options.tables) {
      if (this.#stored.has(table.name)) throw new StatementDefect(`table ${table.name} is declared twice`)
      this.#stored.set(table.name, { table, relation: new Relation(table), validator: makeValidator(table) })
    }
  }

  get sessions(): ReadonlyMap<number, Session> {
    return this.#sessions
  }

  open(): Session {
    const session = new Session(this, this.#nextSessionId++)
    this.#sessions.set(session.id, session)
    return session
  }

  /** The database process dies and comes back: every session ends, what was committed stays. */
  restart(): void {
    this.enter()
    for (const session of Array.from(this.#sessions.values())) session.terminate()
    this.leave()
  }

  /**
   * Undoes commits, the newest ones of all and in their order, as one commit under this label: the replica that takes over
   * has never heard of them. Every session must have ended.
   */
  revert(commits: ReadonlyArray<Commit>, label: string): void {
    if (this.#sessions.size > 0) throw new Error(`${label}: ${this.#sessions.size} sessions are open`)
    const session = this.open()
    const transaction = session.begin({ label, isolation: "read committed" })
    for (const { changes } of commits.toReversed()) {
      for (const change of changes.toReversed()) this.#undo(change, transaction)
    }
    session.commit()
    session.terminate()
  }

  #undo({ after, before, table }: RowChange, writer: Transaction): void {
    const { relation } = this.#find(table)
    if (after === null) {
      const slot = relation.insert(before!, writer, 0)
      for (const index of relation.indexes) index.add(slot, before!)
      writer.written.add(slot)
      return
    }
    const found = [...(relation.uniques[0]!.bucket(after) ?? [])].find(({ head }) => head?.row === after)
    if (found === undefined) throw new Error(`${table}: a row that was committed is not there`)
    const row = before ?? undefined
    succeed(found, {
      row,
      writer,
      command: 0,
      lock: "for update",
      reindexed: true,
      missing: undefined,
      exclusive: undefined,
      previous: found.head
    })
    if (row !== undefined) for (const index of relation.indexes) index.add(found, row)
    writer.written.add(found)
  }

  /** The committed rows of a table in scan order, for whoever inspects a run. */
  committed(table: string): ReadonlyArray<StoredRow> {
    const rows: Array<StoredRow> = []
    for (const slot of this.#find(table).relation.slots) {
      const row = committedRow(slot)
      if (row !== undefined) rows.push(row)
    }
    return rows
  }

  /** Fails the waiting statement of this session with `Deadlock` when it is part of a cycle; says whether it did. */
  checkDeadlock(session: Session): boolean {
    const { transaction } = session
    if (session.wait === undefined || transaction === undefined) return false
    if (findCycle(transaction, (other) => this.#sessionOf.get(other)?.wait) === undefined) return false
    session.cancel(new Deadlock())
    return true
  }

  // What follows is called by sessions.

  beginTransaction(session: Session, { isolation, label, project }: Begin): Transaction {
    const startedAtMicros = this.#options.clockMicros()
    const clockSettings = this.#options.clockSettings?.() ?? 0
    const transaction = new Transaction({
      id: this.#nextTransactionId++,
      label,
      isolation,
      project,
      startedAtMicros,
      clockSettings
    })
    this.#sessionOf.set(transaction, session)
    return transaction
  }

  check(statement: Statement, gate: ReadonlyArray<Fence>, project: string | undefined): void {
    checkStatement(statement, this.#tableOf, gate, project)
  }

  executionOf(transaction: Transaction): Execution {
    const serializability = transaction.isolation === "serializable" ? this.#serializability : undefined
    return {
      transaction,
      clock: this.#clock,
      find: this.#find,
      left: this.#left,
      givesWay: this.#givesWay,
      serializability
    }
  }

  /** Read committed sees what is committed when a statement begins, the others when the first one does. */
  takeSnapshot(transaction: Transaction): void {
    if (transaction.isolation === "read committed") transaction.snapshot = this.#commitSequence
    else if (transaction.snapshot === undefined) {
      transaction.snapshot = this.#commitSequence
      this.#pinned.add(transaction)
      if (transaction.isolation === "serializable") this.#serializability.begin(transaction)
    }
  }

  releaseSnapshot(transaction: Transaction): void {
    if (transaction.isolation === "read committed") this.#unpin(transaction)
  }

  beginWait(session: Session, wait: Wait): void {
    this.#pinned.add(wait.transaction)
    if (wait._tag === "Transaction") wait.awaited.awaitedBy.push(wait)
    this.#options.onWait?.(session, wait, blockers(wait))
    if (this.#options.deadlockDetection === "immediate") this.checkDeadlock(session)
  }

  endWait(session: Session, wait: Wait): void {
    this.#options.onGranted?.(session, wait)
  }

  postpone(session: Session): void {
    this.#woken.push(session)
  }

  /** False when it cannot be serialized: then it is rolled back. */
  commitTransaction(transaction: Transaction): boolean {
    const isSerializable = transaction.isolation === "serializable"
    if (isSerializable && !this.#serializability.mayCommit(transaction)) {
      this.rollbackTransaction(transaction)
      return false
    }
    const changes = changesOf(transaction)
    transaction.commitSequence = ++this.#commitSequence
    if (isSerializable) this.#serializability.committed(transaction)
    if (changes.length > 0) {
      this.#options.onCommit?.({
        transactionId: transaction.id,
        label: transaction.label,
        fences: transaction.fences,
        atMicros: this.#options.clockMicros(),
        changes
      })
    }
    this.#unpin(transaction)
    for (const slot of transaction.written) this.#retire(slot)
    this.#end(transaction)
    return true
  }

  rollbackTransaction(transaction: Transaction): void {
    if (transaction.isolation === "serializable") this.#serializability.rolledBack(transaction)
    for (const slot of transaction.written) slot.home.undo(slot, transaction)
    this.#unpin(transaction)
    this.#end(transaction)
  }

  forget(session: Session): void {
    this.#sessions.delete(session.id)
  }

  /** Brackets every call from outside, so that those who waited go on only when the call has done its work. */
  enter(): void {
    this.#depth++
  }

  leave(): void {
    if (this.#depth === 1) {
      while (this.#woken.length > 0) {
        const position = this.#woken.length === 1 ? 0 : (this.#options.nextWoken?.(this.#woken) ?? 0)
        const [next] = this.#woken.splice(position, 1)
        next!.resume()
      }
    }
    this.#depth--
  }

  #end(transaction: Transaction): void {
    this.#sessionOf.delete(transaction)
    const isCommitted = transaction.commitSequence !== Infinity
    for (const slot of transaction.locked) {
      const hasWritten = transaction.written.has(slot)
      release(slot, transaction)
      // Of a row that has changed the whole queue lets go: each in it begins anew with the newest version.
      for (const wait of (hasWritten && isCommitted ? slot.queue : grantable(slot)) ?? []) this.#wake(wait, transaction)
    }
    for (const wait of transaction.awaitedBy) this.#wake(wait, transaction)
    transaction.written.clear()
    transaction.locked.length = 0
    transaction.awaitedBy.length = 0
  }

  readonly #clock: StatementClock = {
    now: ({ clockSettings, startedAtMicros }) => {
      this.#options.onTimeUsed?.(clockSettings)
      return startedAtMicros
    },
    timestamp: () => {
      this.#options.onTimeUsed?.(this.#options.clockSettings?.() ?? 0)
      return this.#options.clockMicros()
    }
  }

  readonly #find = (table: string): Stored => {
    const stored = this.#stored.get(table)
    if (stored === undefined) throw new StatementDefect(`no table ${table}`)
    return stored
  }

  readonly #tableOf = (table: string): Table<unknown> | undefined => this.#stored.get(table)?.relation.table

  readonly #givesWay = (): boolean => this.#woken.length > 0 && this.#options.givesWay?.() === true

  /** Somebody left the queue of a row, with the lock or without: those behind may move up. */
  readonly #left = (wait: RowWait): void => {
    for (const next of heads(wait.slot)) this.#wake(next, wait.transaction)
  }

  #wake(wait: Wait, releasedBy: Transaction): void {
    const session = this.#sessionOf.get(wait.transaction)
    if (session?.wait !== wait || this.#woken.includes(session)) return
    wait.releasedBy = releasedBy
    this.#woken.push(session)
  }

  #unpin(transaction: Transaction): void {
    if (this.#pinned.delete(transaction) && this.#prunable.length > 0) this.#pruneAll()
  }

  /** Old versions of a row just committed go at once, unless a snapshot may still show them. */
  #retire(slot: Slot): void {
    if (slot.head?.previous === undefined && slot.head?.row !== undefined) return
    if (this.#pinned.size === 0) slot.home.prune(slot, this.#commitSequence)
    else this.#prunable.push({ slot, sequence: this.#commitSequence })
  }

  #pruneAll(): void {
    let horizon = this.#commitSequence
    for (const { snapshot } of this.#pinned) horizon = Math.min(horizon, snapshot!)
    const remaining = this.#prunable.findIndex(({ sequence }) => sequence > horizon)
    const ready = this.#prunable.splice(0, remaining === -1 ? this.#prunable.length : remaining)
    for (const { slot } of ready) slot.home.prune(slot, horizon)
  }
}

function committedRow(slot: Slot): StoredRow | undefined {
  for (let version = slot.head; version !== undefined; version = version.previous) {
    if (isCommitted(version)) return version.row
  }
  return undefined
}

/** Net changes: a row that came and went within the transaction is none. */
function changesOf(transaction: Transaction): ReadonlyArray<RowChange> {
  const changes: Array<RowChange> = []
  for (const slot of transaction.written) {
    const before = committedRow(slot) ?? null
    const after = slot.head?.row ?? null
    const row = after ?? before
    if (row === null) continue
    const { name, primaryKey } = slot.home
    changes.push({ table: name, key: rowKeyOf(primaryKey, row), before, after })
  }
  return changes
}
