/**
 * Tables as data: what the simulated database models and what the SQL adapter creates, declared once.
 *
 * Absent on purpose: defaults, triggers and sequences. A row holds what its writer wrote and nothing else, so that
 * the model and Postgres cannot disagree about a value that nobody chose.
 */
import * as Schema from "effect/Schema"
import { type Condition, type Row, column as columnOf } from "./Condition.ts"
import type { Topic, Topics } from "./Topic.ts"

/** What a column stores; `timestamp` is an integer of microseconds since 1970-01-01T00:00:00Z, as exact as Postgres. */
export type ColumnKind = "text" | "integer" | "boolean" | "timestamp" | "json"

export interface Column<out A> {
  readonly kind: ColumnKind
  readonly nullable: boolean
  /** For `text` columns that hold one of few words; a check constraint in SQL. */
  readonly literals: ReadonlyArray<string> | undefined
  /** For `json` columns: what the document must decode as. Its encoded side is what is stored. */
  readonly schema: Schema.Top | undefined
  /** Between the document and its encoded side; both die on what the schema does not accept. */
  readonly codec: Codec | undefined
  readonly "~A"?: A
}

export interface Codec {
  readonly encode: (value: unknown) => unknown
  readonly decode: (stored: unknown) => unknown
}

export type ColumnsOf<R> = { readonly [K in keyof R]: Column<R[K]> }

export interface Unique {
  readonly name: string
  readonly columns: ReadonlyArray<string>
}

export interface Index {
  readonly name: string
  readonly columns: ReadonlyArray<string>
}

export interface Check {
  readonly name: string
  readonly condition: Condition
}

/** How a row says whose it is: a column holds the name of its project, or begins with that name and "/". */
export interface Tenant {
  readonly column: string
  readonly isPrefix: boolean
}

export interface Table<out R> {
  readonly name: string
  readonly columns: ColumnsOf<R>
  readonly primaryKey: ReadonlyArray<string>
  readonly unique: ReadonlyArray<Unique>
  readonly indexes: ReadonlyArray<Index>
  readonly checks: ReadonlyArray<Check>
  /** Whether the change feed of production tells of it: what nobody follows, and what should be read in one place only, is not there. */
  readonly isFed: boolean
  /** No row of it is ever changed or removed, whoever asks. */
  readonly isAppendOnly: boolean
  /** What a commit is about that sets the column to the present time. */
  readonly topics: Topics
  /** Whose rows they are; undefined where they are nobody's in particular, and whoever works for one project may see them all. */
  readonly tenant: Tenant | undefined
  /** References to the columns of an existing row, and of one that an insert proposes. */
  readonly row: Row<R>
  readonly excluded: Row<R>
  /** The columns whose values are stored encoded, with how. */
  readonly codecs: ReadonlyArray<readonly [string, Codec]>
}

/** The row type of a table: `type Lease = RowOf<typeof leases>`. */
export type RowOf<T> = T extends Table<infer R> ? R : never

type RowFrom<C> = { readonly [K in keyof C]: C[K] extends Column<infer A> ? A : never }

type ColumnName<C> = keyof C & string

export const text: Column<string> = column("text")
export const integer: Column<number> = column("integer")
/** @public */
export const boolean: Column<boolean> = column("boolean")
export const timestamp: Column<number> = column("timestamp")

/** A text column restricted to the words given. */
export const literals = <const L extends ReadonlyArray<string>>(...words: L): Column<L[number]> => ({
  ...column<L[number]>("text"),
  literals: words
})

/** A JSON document; `schema` must be synchronous and without services. */
export const json = <A>(schema: Schema.Codec<A, unknown>): Column<A> => ({
  ...column<A>("json"),
  schema,
  codec: { encode: Schema.encodeUnknownSync(schema), decode: Schema.decodeUnknownSync(schema) }
})

export const nullable = <A>(of: Column<A>): Column<A | null> => ({ ...of, nullable: true }) as Column<A | null>

/**
 * Declares a table. Unique constraints and indexes are named after their columns; the primary key is unique too.
 * Dies when a key, unique constraint or index names a column that does not exist, or `tenant` one that is no text or may be null.
 */
export const make = <const C extends Record<string, Column<unknown>>>(
  name: string,
  options: {
    readonly columns: C
    readonly primaryKey: ReadonlyArray<ColumnName<C>>
    readonly unique?: ReadonlyArray<ReadonlyArray<ColumnName<C>>>
    readonly indexes?: ReadonlyArray<ReadonlyArray<ColumnName<C>>>
    readonly checks?: Readonly<Record<string, (row: Row<RowFrom<C>>) => Condition>>
    /** Default: true. */
    readonly isFed?: boolean
    /** Default: false. */
    readonly isAppendOnly?: boolean
    /** Default: none. */
    readonly topics?: Readonly<Partial<Record<ColumnName<C>, Topic>>>
    /** Default: the rows belong to no project. */
    readonly tenant?: ColumnName<C> | { readonly prefixOf: ColumnName<C> }
  }
): Table<RowFrom<C>> => {
  const columnNames = Object.keys(options.columns)
  const row = rowOf<RowFrom<C>>(columnNames)
  const named = (prefix: string) => (columns: ReadonlyArray<string>) => {
    for (const column of columns) {
      if (!(column in options.columns)) throw new Error(`table ${name}: no column ${column}`)
    }
    return { name: `${name}_${prefix}_${columns.join("_")}`, columns }
  }
  return {
    name,
    columns: options.columns as unknown as ColumnsOf<RowFrom<C>>,
    primaryKey: named("pk")(options.primaryKey).columns,
    unique: (options.unique ?? []).map(named("key")),
    indexes: (options.indexes ?? []).map(named("idx")),
    checks: Object.entries(options.checks ?? {}).map(([check, condition]) => ({
      name: `${name}_${check}`,
      condition: condition(row)
    })),
    isFed: options.isFed ?? true,
    isAppendOnly: options.isAppendOnly ?? false,
    topics: (options.topics ?? {}) as Topics,
    tenant: tenantOf(name, options.columns, options.tenant),
    row,
    excluded: rowOf<RowFrom<C>>(columnNames, "excluded"),
    codecs: Object.entries(options.columns).flatMap(([column, { codec }]) =>
      codec === undefined ? [] : [[column, codec] as const]
    )
  }
}

function tenantOf(
  table: string,
  columns: Readonly<Record<string, Column<unknown>>>,
  given: string | { readonly prefixOf: string } | undefined
): Tenant | undefined {
  if (given === undefined) return undefined
  const tenant =
    typeof given === "string" ? { column: given, isPrefix: false } : { column: given.prefixOf, isPrefix: true }
  const column = columns[tenant.column]
  if (column?.kind !== "text" || column.nullable) {
    throw new Error(`table ${table}: ${tenant.column} names no project, as it is no text or may be null`)
  }
  return tenant
}

function rowOf<R>(columns: ReadonlyArray<string>, from: "row" | "excluded" = "row"): Row<R> {
  return Object.fromEntries(columns.map((name) => [name, columnOf(name, from)])) as unknown as Row<R>
}

function column<A>(kind: ColumnKind): Column<A> {
  return { kind, nullable: false, literals: undefined, schema: undefined, codec: undefined }
}
