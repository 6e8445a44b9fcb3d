/**
 * Serializable snapshot isolation as Postgres does it (Cahill, Röhm, Fekete; Ports and Grittner): snapshots as under
 * repeatable read, plus a watch over rw-antidependencies R → W, "R read what W, concurrent with it, wrote otherwise".
 *
 * - Z1 Every cycle of dependencies holds a dangerous structure T0 → pivot → T2 of which T2 commits first; where one closes, a
 *   transaction of it is refused: who writes or reads now when it must be, else the pivot, which fails at its next statement.
 * - Z2 No structure is dangerous whose T2 did not commit before both others, nor one whose T0 wrote nothing and took its
 *   snapshot before T2 committed.
 * - Z3 A read is remembered as the values its condition fixes columns to, or as the whole table: never less than its rows,
 *   those not there included. Postgres remembers pages of indexes besides, and may refuse more; it never refuses less.
 * - Z4 What is remembered of a committed transaction goes when no serializable transaction is left that overlapped it.
 * Only serializable transactions are watched: what others read and write counts for nothing, as in Postgres.
 * Absent on purpose: summaries of old transactions, read-only transactions declared as such (the port has none).
 */
import { SerializationFailure } from "../../core/ports/Storage.ts"
import type { StoredRow } from "./Evaluate.ts"
import type { Relation } from "./Relation.ts"
import type { Transaction } from "./Transaction.ts"

/** What a condition fixes columns to; `undefined` where it fixes none. */
export type Equalities = ReadonlyMap<string, ReadonlyArray<unknown>> | undefined

/** `tables`: every read is remembered as its whole table, which is what a sequential scan of Postgres locks. */
export type ReadTracking = "keys" | "tables"

/** What is known of one transaction, from its snapshot until nobody overlaps it. */
interface Participant {
  readonly transaction: Transaction
  readonly reads: Map<Relation, Array<Equalities>>
  /** Those who read what this one wrote otherwise. */
  readonly readers: Set<Participant>
  /** Those who wrote otherwise what this one read. */
  readonly writers: Set<Participant>
  hasWritten: boolean
  /** Chosen to fail: it does at its next statement or commit. */
  isDoomed: boolean
  /** Committed, after one of its `writers` had. */
  hasEarlierWriter: boolean
}

export class Serializability {
  readonly #tracking: ReadTracking
  readonly #participants = new Map<Transaction, Participant>()

  constructor(tracking: ReadTracking) {
    this.#tracking = tracking
  }

  /** The transaction has taken its snapshot. */
  begin(transaction: Transaction): void {
    this.#participants.set(transaction, {
      transaction,
      reads: new Map(),
      readers: new Set(),
      writers: new Set(),
      hasWritten: false,
      isDoomed: false,
      hasEarlierWriter: false
    })
  }

  /** Fails a transaction that was chosen to fail. */
  requireSound(transaction: Transaction): void {
    if (this.#participants.get(transaction)?.isDoomed === true) throw new SerializationFailure()
  }

  /** A statement is about to look for these rows in its snapshot. */
  read(transaction: Transaction, relation: Relation, equalities: Equalities): void {
    const reader = this.#participants.get(transaction)
    if (reader === undefined) return
    this.requireSound(transaction)
    const fixed = this.#tracking === "tables" ? undefined : equalities
    remember(reader, relation, fixed)
    const snapshot = transaction.snapshot!
    for (const slot of relation.candidates(fixed)) {
      for (let version = slot.head; version !== undefined; version = version.previous) {
        if (version.writer === transaction || version.writer.commitSequence <= snapshot) break
        const writer = this.#participants.get(version.writer)
        if (writer === undefined || writer.isDoomed) continue
        if (meets(fixed, version.row) || meets(fixed, version.previous?.row)) this.#flag(reader, writer, reader)
      }
    }
  }

  /** A row is about to change from `before` to `after`; `undefined` where there is none. */
  write(
    transaction: Transaction,
    relation: Relation,
    before: StoredRow | undefined,
    after: StoredRow | undefined
  ): void {
    const writer = this.#participants.get(transaction)
    if (writer === undefined) return
    this.requireSound(transaction)
    writer.hasWritten = true
    for (const reader of this.#participants.values()) {
      if (reader === writer || reader.isDoomed || isBefore(reader, writer)) continue
      const reads = reader.reads.get(relation)
      if (reads?.some((fixed) => meets(fixed, before) || meets(fixed, after)) === true) {
        this.#flag(reader, writer, writer)
      }
    }
  }

  /** False when this transaction must not commit; else it must at once. Pivots that its commit endangers are doomed. */
  mayCommit(transaction: Transaction): boolean {
    const self = this.#participants.get(transaction)
    if (self === undefined) return true
    if (self.isDoomed) return false
    for (const pivot of self.readers) {
      if (isCommitted(pivot) || pivot.isDoomed) continue
      for (const first of pivot.readers) {
        if (first === self || (!isCommitted(first) && !first.isDoomed)) {
          pivot.isDoomed = true
          break
        }
      }
    }
    return true
  }

  /** After the commit. */
  committed(transaction: Transaction): void {
    const self = this.#participants.get(transaction)
    if (self === undefined) return
    for (const writer of self.writers) {
      if (!isCommitted(writer)) continue
      self.hasEarlierWriter ||= self.hasWritten
      self.writers.delete(writer)
      writer.readers.delete(self)
    }
    for (const reader of self.readers) {
      if (!isCommitted(reader)) continue
      self.readers.delete(reader)
      reader.writers.delete(self)
    }
    this.#forgetOld()
  }

  rolledBack(transaction: Transaction): void {
    const self = this.#participants.get(transaction)
    if (self === undefined) return
    this.#forget(self)
    this.#forgetOld()
  }

  /** Notes reader → writer. `self`, one of the two, is at work and fails when nobody else can. */
  #flag(reader: Participant, writer: Participant, self: Participant): void {
    if (reader.writers.has(writer)) return
    if (isDangerous(reader, writer)) {
      if (self === writer || isCommitted(writer)) throw new SerializationFailure()
      writer.isDoomed = true
    }
    reader.writers.add(writer)
    writer.readers.add(reader)
  }

  #forgetOld(): void {
    let oldest = Infinity
    for (const { transaction } of this.#participants.values()) {
      if (transaction.commitSequence === Infinity) oldest = Math.min(oldest, transaction.snapshot!)
    }
    for (const participant of this.#participants.values()) {
      if (participant.transaction.commitSequence <= oldest) this.#forget(participant)
    }
  }

  #forget(participant: Participant): void {
    for (const writer of participant.writers) writer.readers.delete(participant)
    for (const reader of participant.readers) reader.writers.delete(participant)
    this.#participants.delete(participant.transaction)
  }
}

/** Whether reader → writer closes a dangerous structure, with the writer as its pivot or with the reader. */
function isDangerous(reader: Participant, writer: Participant): boolean {
  if (isCommitted(writer) && writer.hasEarlierWriter) return true
  for (const last of writer.writers) {
    if (!isCommitted(last)) continue
    const { commitSequence } = last.transaction
    if (
      commitSequence <= reader.transaction.commitSequence &&
      commitSequence <= writer.transaction.commitSequence &&
      (!isReadOnly(reader) || commitSequence <= reader.transaction.snapshot!)
    ) {
      return true
    }
  }
  if (!isCommitted(writer) || isReadOnly(reader)) return false
  const { commitSequence } = writer.transaction
  for (const first of reader.readers) {
    if (
      !first.isDoomed &&
      first.transaction.commitSequence >= commitSequence &&
      (!isReadOnly(first) || first.transaction.snapshot! >= commitSequence)
    ) {
      return true
    }
  }
  return false
}

function isCommitted({ transaction }: Participant): boolean {
  return transaction.commitSequence !== Infinity
}

/** Known only of those who have committed. */
function isReadOnly(participant: Participant): boolean {
  return isCommitted(participant) && !participant.hasWritten
}

/** Whether the writer's snapshot shows what the reader did. */
function isBefore(reader: Participant, writer: Participant): boolean {
  return reader.transaction.commitSequence <= writer.transaction.snapshot!
}

function remember(reader: Participant, relation: Relation, equalities: Equalities): void {
  const reads = reader.reads.get(relation)
  if (reads === undefined || equalities === undefined) reader.reads.set(relation, [equalities])
  else if (reads[0] !== undefined) reads.push(equalities)
}

function meets(equalities: Equalities, row: StoredRow | undefined): boolean {
  if (row === undefined) return false
  if (equalities === undefined) return true
  for (const [column, values] of equalities) if (!values.includes(row[column])) return false
  return true
}
