/**
 * The database of the port with PGlite in it (`PgliteServer.ts`), and what is committed there.
 *
 * - D1 What is committed survives every crash and restart of the node; nothing else does.
 * - D2 A failover is a crash after which the last commits are undone, as one commit of its own.
 * - D3 Commits are told with their rows, as the production change feed recorded them, and are numbered anew in each run.
 */
import { textsOf } from "../../adapters/pglite/Backend.ts"
import { type Reader, readerOf } from "../../adapters/postgres/Feed.ts"
import { appendOnly } from "../../adapters/postgres/Schema.ts"
import { literal, name as quoted } from "../../adapters/postgres/Sql.ts"
import type { Committed, RowChange } from "../../core/facts/Envelope.ts"
import type { Column, Table } from "../../core/ports/Table.ts"
import type { Program } from "../kernel/SimNode.ts"
import type { Database } from "../storage/Databases.ts"
import type { StoredRow } from "../storage/Evaluate.ts"
import {
  type DatabaseOptions,
  type DatabaseWorld,
  defaultOptions,
  replicaLagMicrosMax
} from "../storage/SimDatabase.ts"
import type { Instance } from "./Instance.ts"
import { PgliteServer } from "./PgliteServer.ts"
import { netOf, positionOf, recorded } from "./RowFacts.ts"

export class PgliteDatabase implements Database {
  readonly #server: PgliteServer
  readonly #tables: ReadonlyArray<Table<unknown>>
  readonly #readers: ReadonlyMap<string, Reader>
  /** What is committed, by table and key. */
  readonly #rows = new Map<string, Map<string, StoredRow>>()
  /** How far the change feed has been told. */
  #position = 0
  /** The last commits, which a failover may lose. */
  readonly #tail: Array<{ readonly atMicros: number; readonly changes: ReadonlyArray<RowChange> }> = []
  #transactions = 0

  constructor(
    instance: Instance,
    world: DatabaseWorld,
    options: Partial<DatabaseOptions> & Pick<DatabaseOptions, "tables">
  ) {
    this.#tables = options.tables
    this.#readers = new Map(options.tables.map((table) => [table.name, readerOf(table)]))
    instance.empty(options.tables)
    this.#server = new PgliteServer(
      instance,
      world,
      { ...defaultOptions, ...options },
      {
        committed: () => this.#tell(),
        failedOver: (lagMicros) => this.#loseTail(lagMicros)
      }
    )
  }

  get program(): Program {
    return this.#server.program
  }

  committed(table: string): ReadonlyArray<StoredRow> {
    return [...(this.#rows.get(table)?.values() ?? [])]
  }

  place(label: string, { columns, name }: Table<unknown>, row: StoredRow): void {
    this.#server.ask(`/* ${label} */ ${inserting(name, columns as Columns, row)}`)
    this.#tell()
  }

  /** What was committed within so long of the last commit of all never was, that one included: a replica had not heard of it. */
  #loseTail(lagMicros: number): void {
    const last = this.#tail.at(-1)
    if (last === undefined) return
    const first = this.#tail.findIndex(({ atMicros }) => atMicros >= last.atMicros - lagMicros)
    const lost = this.#tail.splice(first).flatMap(({ changes }) => changes)
    this.#server.world.network.kernel.facts.effect("storage/failover", this.#server.startedNode)
    const undone = lost.toReversed().map((change) =>
      undoing(
        change,
        this.#tables.find(({ name }) => name === change.table)!
      )
    )
    // What a replica never heard of is not removed from it: no trigger may object.
    const guarded = this.#tables.filter(({ isAppendOnly }) => isAppendOnly).map(({ name }) => quoted(name))
    const guards = (verb: string) => guarded.map((table) => `alter table ${table} ${verb} trigger ${appendOnly}`)
    this.#server.ask(`/* storage/failover */ ${[...guards("disable"), ...undone, ...guards("enable")].join("; ")}`)
    this.#tell()
    this.#tail.length = 0
  }

  /** Tells what has been committed since the last time, if anything; what follows happens because of it. */
  #tell(): void {
    const answer = this.#server.ask(recorded(this.#position))
    const rows = answer.filter(({ type }) => type === "D").map(textsOf)
    this.#position = rows.map(positionOf).at(-1) ?? this.#position
    const net = netOf(rows, this.#readers)
    if (net === undefined) return
    const { changes } = net
    for (const { after, key, table } of changes) {
      const rows = this.#rows.get(table) ?? new Map<string, StoredRow>()
      this.#rows.set(table, rows)
      if (after === null) rows.delete(key)
      else rows.set(key, after as StoredRow)
    }
    const { facts, nowMicros } = this.#server.world.network.kernel
    while (this.#tail.length > 0 && this.#tail[0]!.atMicros < nowMicros - replicaLagMicrosMax) this.#tail.shift()
    this.#tail.push({ atMicros: nowMicros, changes })
    const transactionId = ++this.#transactions
    facts.cause = facts.tell<Committed>(this.#server.startedNode, { _tag: "Committed", transactionId, ...net })
  }
}

type Columns = Readonly<Record<string, Column<unknown>>>

/** By name: in which order a database has its columns is the business of whoever made it. */
function inserting(table: string, columns: Columns, row: StoredRow): string {
  const values = Object.entries(columns).map(([column, { kind }]) => literal(kind, row[column] ?? null))
  const names = Object.keys(columns).map(quoted)
  return `insert into ${quoted(table)} (${names.join(", ")}) values (${values.join(", ")})`
}

/** The statement that makes a change undone. */
function undoing({ after, before }: RowChange, { columns, name, primaryKey }: Table<unknown>): string {
  const kinds = columns as Columns
  const sql = (row: StoredRow, column: string) => literal(kinds[column]!.kind, row[column] ?? null)
  const keyOf = (row: StoredRow) => primaryKey.map((key) => `${quoted(key)} = ${sql(row, key)}`).join(" and ")
  const all = Object.keys(kinds)
  if (before === null) return `delete from ${quoted(name)} where ${keyOf(after as StoredRow)}`
  const was = before as StoredRow
  if (after === null) return inserting(name, kinds, was)
  const set = all.map((column) => `${quoted(column)} = ${sql(was, column)}`)
  return `update ${quoted(name)} set ${set.join(", ")} where ${keyOf(after as StoredRow)}`
}
