/**
 * One table in memory: rows as chains of versions, and hash indexes over them.
 *
 * - R2 A bucket of an index holds every row of which any version has that key; who looks there tests the visible version.
 * - R3 Rows are scanned in order of insertion; unlike in Postgres an update does not move a row.
 * Absent on purpose: visibility and locks (Snapshot.ts, Locks.ts); range scans, so `<` and `order by` read the table.
 */
import type { Table } from "../../core/ports/Table.ts"
import type { StoredRow } from "./Evaluate.ts"
import type { Home, Slot, Transaction, Version } from "./Transaction.ts"

type Key = string | number | boolean

export class HashIndex {
  readonly name: string
  readonly columns: ReadonlyArray<string>
  readonly buckets = new Map<Key, Set<Slot>>()

  constructor(name: string, columns: ReadonlyArray<string>) {
    this.name = name
    this.columns = columns
  }

  /** `undefined` when a column is null: such a row equals none. Text holds no NUL, so joining with it is injective. */
  keyOf(row: StoredRow): Key | undefined {
    const { columns } = this
    if (columns.length === 1) {
      const value = row[columns[0]!]
      return value === null ? undefined : (value as Key)
    }
    let key = ""
    for (const column of columns) {
      const value = row[column]
      if (value === null) return undefined
      key += `${value as Key}\u0000`
    }
    return key
  }

  bucket(row: StoredRow): ReadonlySet<Slot> | undefined {
    const key = this.keyOf(row)
    return key === undefined ? undefined : this.buckets.get(key)
  }

  add(slot: Slot, row: StoredRow): void {
    const key = this.keyOf(row)
    if (key === undefined) return
    const bucket = this.buckets.get(key)
    if (bucket === undefined) this.buckets.set(key, new Set([slot]))
    else bucket.add(slot)
  }

  /** Forgets the row under the key of a version that is gone, unless a remaining version has that key too. */
  discard(slot: Slot, row: StoredRow): void {
    const key = this.keyOf(row)
    if (key === undefined) return
    for (let version = slot.head; version !== undefined; version = version.previous) {
      if (version.row !== undefined && this.keyOf(version.row) === key) return
    }
    const bucket = this.buckets.get(key)
    bucket?.delete(slot)
    if (bucket?.size === 0) this.buckets.delete(key)
  }
}

export class Relation implements Home {
  readonly table: Table<unknown>
  readonly name: string
  readonly columns: ReadonlyArray<string>
  readonly primaryKey: ReadonlyArray<string>
  readonly slots = new Set<Slot>()
  /** The primary key, then the unique constraints, in the order in which Postgres checks them. */
  readonly uniques: ReadonlyArray<HashIndex>
  /** Columns of any unique constraint: changing one of them takes the strongest row lock. */
  readonly keyColumns: ReadonlySet<string>
  /** Columns of any index, the unique ones included. */
  readonly indexedColumns: ReadonlySet<string>
  /** Every index, those made on first use for a prefix of a declared one included. */
  readonly indexes: Array<HashIndex> = []
  readonly #byColumns = new Map<string, HashIndex>()
  readonly #declared: ReadonlyArray<ReadonlyArray<string>>
  #nextSlotId = 1

  constructor(table: Table<unknown>) {
    this.table = table
    this.name = table.name
    this.columns = Object.keys(table.columns)
    this.primaryKey = table.primaryKey
    this.uniques = [{ name: `${table.name}_pkey`, columns: table.primaryKey }, ...table.unique].map((unique) =>
      this.#index(unique.name, unique.columns)
    )
    for (const index of table.indexes) this.#index(index.name, index.columns)
    this.keyColumns = new Set(this.uniques.flatMap((unique) => unique.columns))
    this.indexedColumns = new Set(this.indexes.flatMap((index) => index.columns))
    this.#declared = this.indexes.map((index) => index.columns)
  }

  insert(row: StoredRow, writer: Transaction, command: number): Slot {
    const slot: Slot = {
      id: this.#nextSlotId++,
      home: this,
      head: undefined,
      holders: undefined,
      queue: undefined
    }
    slot.head = {
      row,
      writer,
      command,
      lock: "for no key update",
      reindexed: false,
      missing: undefined,
      exclusive: undefined,
      previous: undefined
    }
    this.slots.add(slot)
    return slot
  }

  /** Removes what an unfinished transaction wrote to a row, and the row with it when nothing else is there. */
  undo(slot: Slot, writer: Transaction): void {
    const dropped = slot.head
    let kept = dropped
    while (kept !== undefined && kept.writer === writer) kept = kept.previous
    slot.head = kept
    if (kept === undefined) this.slots.delete(slot)
    this.#discard(slot, dropped, kept)
  }

  /** Forgets the versions that no snapshot from `horizon` on can show, and the row when it was deleted by then. */
  prune(slot: Slot, horizon: number): void {
    let kept = slot.head
    let reindexed = false
    while (kept !== undefined && kept.writer.commitSequence > horizon) {
      reindexed ||= kept.reindexed
      kept = kept.previous
    }
    if (kept === undefined) return
    const dropped = kept.previous
    kept.previous = undefined
    if (kept.row === undefined && kept === slot.head) {
      slot.head = undefined
      this.slots.delete(slot)
      this.#discard(slot, dropped, undefined)
      return
    }
    reindexed ||= kept.reindexed
    for (let version = dropped; !reindexed && version !== undefined; version = version.previous) {
      reindexed = version.reindexed
    }
    if (reindexed) this.#discard(slot, dropped, undefined)
  }

  /** Every row that may qualify under these equalities, in scan order; all rows when no index serves them. */
  candidates(equalities: ReadonlyMap<string, ReadonlyArray<unknown>> | undefined): Iterable<Slot> {
    if (equalities === undefined) return this.slots
    const index = this.#indexFor(equalities)
    if (index === undefined) return this.slots
    const [first] = index.columns
    if (index.columns.length === 1) {
      const values = equalities.get(first!)!
      if (values.length === 1) return sorted(index.buckets.get(values[0] as Key))
      return union(values.map((value) => index.buckets.get(value as Key)))
    }
    let prefixes: ReadonlyArray<string> = [""]
    for (const column of index.columns) {
      const values = equalities.get(column)!
      prefixes = prefixes.flatMap((prefix) => values.map((value) => `${prefix}${value as Key}\u0000`))
    }
    return prefixes.length === 1
      ? sorted(index.buckets.get(prefixes[0]!))
      : union(prefixes.map((key) => index.buckets.get(key)))
  }

  /** The index with the most columns that are all fixed; a unique one before others. */
  #indexFor(equalities: ReadonlyMap<string, ReadonlyArray<unknown>>): HashIndex | undefined {
    let best: ReadonlyArray<string> = []
    for (const columns of this.#declared) {
      let covered = 0
      while (covered < columns.length && equalities.has(columns[covered]!)) covered++
      if (covered > best.length) best = covered === columns.length ? columns : columns.slice(0, covered)
    }
    if (best.length === 0) return undefined
    const existing = this.#byColumns.get(best.join())
    if (existing !== undefined) return existing
    const made = this.#index(`${this.name}_prefix_${best.join("_")}`, best)
    for (const slot of this.slots) {
      for (let version = slot.head; version !== undefined; version = version.previous) {
        if (version.row !== undefined) made.add(slot, version.row)
      }
    }
    return made
  }

  #discard(slot: Slot, from: Version | undefined, to: Version | undefined): void {
    for (let version = from; version !== to; version = version!.previous) {
      const row = version!.row
      if (row !== undefined) for (const index of this.indexes) index.discard(slot, row)
    }
  }

  #index(name: string, columns: ReadonlyArray<string>): HashIndex {
    const index = new HashIndex(name, columns)
    this.indexes.push(index)
    if (!this.#byColumns.has(columns.join())) this.#byColumns.set(columns.join(), index)
    return index
  }
}

function sorted(bucket: ReadonlySet<Slot> | undefined): Iterable<Slot> {
  if (bucket === undefined) return []
  return bucket.size === 1 ? [...bucket] : inScanOrder([...bucket])
}

function union(buckets: ReadonlyArray<ReadonlySet<Slot> | undefined>): Iterable<Slot> {
  const slots = new Set<Slot>()
  for (const bucket of buckets) {
    if (bucket !== undefined) for (const slot of bucket) slots.add(slot)
  }
  return inScanOrder([...slots])
}

function inScanOrder(slots: Array<Slot>): Array<Slot> {
  for (let index = 1; index < slots.length; index++) {
    if (slots[index]!.id < slots[index - 1]!.id) return slots.toSorted((left, right) => left.id - right.id)
  }
  return slots
}
