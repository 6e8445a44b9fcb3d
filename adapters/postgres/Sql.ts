/**
 * The port's statements as SQL: one call, one statement. Pure; nothing here knows a connection.
 *
 * - Q1 The text depends on the statement's form alone, never on its values, so that the server prepares each form once:
 *   values are parameters, lists are one array, a limit is a parameter.
 * - Q2 Times are `timestamptz`, and microseconds since 1970 at the port: expressions are translated by kind, and what is
 *   converted is never the column where the other side can be, so that indexes on times are used.
 * - Q3 What Postgres would refuse whatever the data (a text compared with a number, an unknown column, text that it cannot hold)
 *   was refused before, as a `StatementDefect`, by the check that all implementations share (`core/storage/checkStatement.ts`): here
 *   every name is known and every kind fits. What depends on the data is left to the database, checks included.
 * - Q4 A number beyond ±(2^53 - 1) reaches a column as the nearest number beyond it, so that the column's own check
 *   refuses it, in Postgres' order of checks.
 * - Q5 A gate is a fence around the statement it guards, which becomes a common table expression: Postgres runs the
 *   uncorrelated sub-select first, once, and whatever the rest is (in the statement's own `where` it would be dropped
 *   together with a condition that is false from the start). It locks the lease `for key share`, compares the newest
 *   epoch, and raises `SGF01` when it is another one, so that check and write are one atomic thing in one round trip. A
 *   statement that had to wait for its gate sees rows as they were before, and those it changes as they are.
 * - Q6 Where fences are taken they are told to the session as well, until the end of the transaction (`fencesSetting`): the
 *   change feed writes them down beside what changed.
 * - Q7 A statement that only reads compares with the clock as it was when the statement began (`statement_timestamp()`): to the server that
 *   is one value, for which an index can be searched. `clock_timestamp()` is another for each row, so that every row would be read.
 *   Where rows are locked or written the clock is read at each, after whatever was waited for.
 * - Q8 The first statement of a transaction for one project that touches a tenants' table tells the session which, until the end of the transaction
 *   (`projectSetting`), beside its gates: so before it looks at a row. The policies of the tables read it (`Schema.ts`, D5). No
 *   round trip more, and nothing that a connection would have to forget. A read that is a transaction by itself says it among its conditions,
 *   where it comes first as well and its rows need not be kept: what drops it there, a condition that is false, shows no row either.
 * - Q9 The release of a lease tells of itself, as its transaction commits: whoever waits for it does nothing meanwhile, and a hint that is sent
 *   afterwards takes another round trip. Nothing else does, as transactions that notify commit one after the other.
 *
 * Absent on purpose: json in comparisons, and joins.
 */
import type { Condition, Expression, Operator } from "../../core/ports/Condition.ts"
import { type Assignments, type Fence, type Statement, leases } from "../../core/ports/Storage.ts"
import type { Column, ColumnKind, Table } from "../../core/ports/Table.ts"
import { topicsOfWrite } from "../../core/ports/Topic.ts"
import {
  columnOf,
  commonKind,
  kindAmong,
  kindBeside,
  kindOf,
  kindOfResult,
  requireComparable,
  requireLimit,
  requireStorable
} from "../../core/storage/Kinds.ts"
import {
  type Plain,
  checkCondition,
  checkFences,
  checkProject,
  checkStatement,
  isRead
} from "../../core/storage/checkStatement.ts"
import { channel, payloadOf } from "./hintPayload.ts"

/** A value with the type that it is sent as: times are microseconds since 1970, json is a document. */
export interface Parameter {
  readonly kind: ColumnKind
  readonly isArray: boolean
  readonly value: unknown
}

export interface Sql {
  readonly text: string
  readonly parameters: ReadonlyArray<Parameter>
}

/** The place of a value in a statement: `take` reads it from the statement, and throws `StatementDefect` on what does not belong there. */
export interface Slot {
  readonly kind: ColumnKind
  readonly isArray: boolean
  readonly take: (given: unknown) => unknown
}

/** What all statements of one form have in common (Q1). */
export interface Form {
  readonly text: string
  readonly slots: ReadonlyArray<Slot>
}

/** For which project a transaction is; `isAlone`: the statement is all of it. */
export interface Told {
  readonly project: string
  readonly isAlone: boolean
}

export type Tables = ReadonlyMap<string, Table<unknown>>

/**
 * One SQL statement for one of the port's. `gate` are fences that the statement carries itself (Q5), `told` is told to the session by
 * it (Q8); a statement of several fences on their own answers the leases' rows instead. Throws `StatementDefect`.
 */
export const toSql = (
  statement: Statement,
  tables: Tables,
  gate: ReadonlyArray<Fence> = [],
  told?: Told
): Sql & Form => {
  const { table } = checkStatement(statement, (name) => tables.get(name), gate, told?.project)
  const parameters: Array<Parameter> = []
  const slots: Array<Slot> = []
  const write: Write = (slot, given) => {
    parameters.push(fill(slot, given))
    return `$${slots.push(slot)}`
  }
  const text =
    statement._tag === "Fence" ? fence(statement.fences, write) : guarded(statement, table, { gate, told }, write)
  return { text, parameters, slots }
}

export const fill = ({ isArray, kind, take }: Slot, given: unknown): Parameter => ({
  kind,
  value: take(given),
  isArray
})

/** A condition over the rows of one table as SQL text without parameters, for check constraints. Throws `StatementDefect`. */
export const toCheck = (condition: Condition, table: Table<unknown>): string => {
  checkCondition(condition, table)
  return translate(condition, {
    table,
    write: ({ isArray, kind, take }, given) => literal(kind, take(given), isArray)
  })
}

/** An identifier, quoted. */
export const name = (identifier: string): string =>
  identifier.includes('"') ? `"${identifier.replaceAll('"', '""')}"` : `"${identifier}"`

/** A value as SQL text. */
export const literal = (kind: ColumnKind, value: unknown, isArray = false): string => {
  if (isArray)
    return `array[${(value as ReadonlyArray<unknown>).map((item) => literal(kind, item)).join(", ")}]::${sqlTypes[kind]}[]`
  if (value === null) return `null::${sqlTypes[kind]}`
  switch (kind) {
    case "text":
      return quoted(value as string)
    case "integer":
      return `${value as number}::bigint`
    case "boolean":
      return String(value)
    case "timestamp":
      return `timestamptz ${quoted(isoOf(value as number))}`
    case "json":
      return `${quoted(JSON.stringify(value))}::jsonb`
  }
}

export const sqlTypes: Readonly<Record<ColumnKind, string>> = {
  text: "text",
  integer: "bigint",
  boolean: "boolean",
  timestamp: "timestamptz",
  json: "jsonb"
}

/** The code of the error that a gate raises; its detail is json: lease, epoch and actual epoch. */
export const fencedCode = "SGF01"

/** The transaction-local setting that holds the fences of a transaction, as json. */
export const fencesSetting = "stormglass.fences"

/** The transaction-local setting that holds the project that a transaction is for; empty or absent: all of them. */
export const projectSetting = "stormglass.project"

/** What a gate calls when the epoch is another one; the migrations create it. */
export const fencedFunction = `create or replace function stormglass_fenced(lease text, epoch bigint, actual bigint)
returns boolean language plpgsql as $$ begin
  raise exception 'lease % has epoch %, not %', lease, coalesce(actual::text, 'none'), epoch
    using errcode = '${fencedCode}',
      detail = json_build_object('lease', lease, 'epoch', epoch, 'actualEpoch', actual)::text;
end $$`

/** Puts what a statement gives into a slot, and says what to write in its place. Once for each value, in the order of `SqlForms`. */
type Write = (slot: Slot, given: unknown) => string

interface Scope {
  readonly table: Table<unknown>
  readonly write: Write
  /** Where only rows are read (Q7). */
  readonly isReading?: boolean
}

interface Guards {
  readonly gate: ReadonlyArray<Fence>
  readonly told: Told | undefined
}

function guarded(statement: Plain, table: Table<unknown>, { gate, told }: Guards, write: Write): string {
  const isSaidInside = told?.isAlone === true && gate.length === 0 && looks(statement)
  const text = plain(statement, table, { write, told: isSaidInside ? told : undefined })
  const isRelease = releases(statement, table)
  if (isSaidInside || (gate.length === 0 && told === undefined && !isRelease)) return text
  const gates = gate.map((fence) => gateOf(fence, write))
  if (isRelease) gates.push(`(select pg_notify('${channel}', '${payloadOf(["released"])}') is not null)`)
  const reads = isRead(statement)
  if (gate.length > 0 && !reads) gates.push(`(select ${tellOf(gate, write)} is not null)`)
  if (told !== undefined) gates.push(sayProject(told, write))
  return `with answer as ${reads ? "materialized " : ""}(${text}) select * from answer where ${gates.join(" and ")}`
}

/** Whether it is about a lease that is released (Q9). */
function releases(statement: Plain, table: Table<unknown>): boolean {
  if (statement._tag !== "Update") return false
  return topicsOfWrite(table, (column) => statement.set[column]?._tag === "ClockTimestamp").includes("released")
}

/** Whether it only looks, at rows that meet a condition. */
const looks = (statement: Plain): boolean =>
  statement._tag === "Count" || (statement._tag === "Select" && statement.lock === undefined)

function sayProject({ project }: Told, write: Write): string {
  return `(select set_config('${projectSetting}', ${write(projectSlot, project)}, true) is not null)`
}

interface Saying {
  readonly write: Write
  /** Said among the conditions, as the last of what is written; only by a read. */
  readonly told: Told | undefined
}

function plain(statement: Plain, table: Table<unknown>, { told, write }: Saying): string {
  const isReading = isRead(statement) && !("lock" in statement && statement.lock !== undefined)
  const scope: Scope = { table, write, isReading }
  const target = name(table.name)
  const said = (where: string) =>
    told === undefined ? "" : `${where === "" ? " where " : " and "}${sayProject(told, write)}`
  switch (statement._tag) {
    case "Select": {
      const where = whereOf(statement.where, scope)
      const rest = [
        orderOf(statement.orderBy),
        limitOf(statement.limit, scope),
        statement.lock === undefined ? "" : ` ${statement.lock}`,
        statement.lock !== undefined && statement.skipLocked ? " skip locked" : ""
      ].join("")
      return `select ${columnList(table)} from ${target}${where}${said(where)}${rest}`
    }
    case "Count": {
      const where = whereOf(statement.where, scope)
      return `select count(*) from ${target}${where}${said(where)}`
    }
    case "Update":
      return `update ${target} set ${setOf(statement.set, scope)}${whereOf(statement.where, scope)}${returning(table)}`
    case "Delete":
      return `delete from ${target}${whereOf(statement.where, scope)}${returning(table)}`
    case "Insert":
      return insert(statement, scope)
  }
}

function insert(statement: Extract<Statement, { readonly _tag: "Insert" }>, scope: Scope): string {
  const { table, write } = scope
  const target = name(table.name)
  // Nothing to insert is a statement all the same: its fences hold.
  if (statement.rows.length === 0) return `select ${columnList(table)} from ${target} where false`
  const { entries } = layoutOf(table)
  const rows = statement.rows.map((row) => {
    const values = entries.map(([column, { kind }]) => {
      const expression = row[column]
      return expression === undefined ? write(absent[kind], null) : assigned(table, column, expression, scope)
    })
    return `(${values.join(", ")})`
  })
  const conflict = conflictOf(statement, scope)
  return `insert into ${target} (${columnList(table)}) values ${rows.join(", ")}${conflict}${returning(table)}`
}

function conflictOf({ onConflict }: Extract<Statement, { readonly _tag: "Insert" }>, scope: Scope): string {
  if (onConflict === undefined) return ""
  const target = onConflict.target.length === 0 ? "" : ` (${onConflict.target.map(name).join(", ")})`
  if (onConflict._tag === "Nothing") return ` on conflict${target} do nothing`
  const set = setOf(onConflict.set, scope)
  return ` on conflict${target} do update set ${set}${whereOf(onConflict.where, scope)}`
}

/** The rows of the leases, locked, for a comparison of their epochs: the lock waits, and shows the newest version. */
function fence(fences: ReadonlyArray<Fence>, write: Write): string {
  const keys = write(fenceSlots.leases, fences)
  const told = `${tellOf(fences, write)} as told`
  return `select "key", "epoch", ${told} from ${name(leases.name)} where "key" = any(${keys}) order by "key" for key share`
}

/** Tells the session which fences hold (Q6). */
function tellOf(fences: ReadonlyArray<Fence>, write: Write): string {
  return `set_config('${fencesSetting}', ${write(fenceSlots.told, fences)}, true)`
}

function gateOf({ epoch, lease }: Fence, write: Write): string {
  const key = write(fenceSlots.key, lease)
  const wanted = write(fenceSlots.epoch, epoch)
  const row = `(select "epoch" from ${name(leases.name)} where "key" = ${key} for key share) as lease`
  const compared = `case when "epoch" = ${wanted} then true else stormglass_fenced(${key}, ${wanted}, "epoch") end`
  return `(select coalesce((select ${compared} from ${row}), stormglass_fenced(${key}, ${wanted}, null)))`
}

const fenceSlots = {
  leases: slot(
    "text",
    (given) => {
      const fences = given as ReadonlyArray<Fence>
      checkFences(fences)
      return [...new Set(fences.map(({ lease }) => lease))].toSorted()
    },
    true
  ),
  told: slot("text", (fences) =>
    JSON.stringify((fences as ReadonlyArray<Fence>).map(({ epoch, lease }) => ({ lease, epoch })))
  ),
  key: comparedSlot("text", leases),
  epoch: comparedSlot("integer", leases)
} as const

const projectSlot = slot("text", (given) => {
  checkProject(given)
  return given
})

/** What no row says of a column. */
const absent: Readonly<Record<ColumnKind, Slot>> = {
  text: slot("text", () => null),
  integer: slot("integer", () => null),
  boolean: slot("boolean", () => null),
  timestamp: slot("timestamp", () => null),
  json: slot("json", () => null)
}

function slot(kind: ColumnKind, take: (given: unknown) => unknown, isArray = false): Slot {
  return { kind, isArray, take }
}

/** For a new value of a column. */
function columnSlot(table: Table<unknown>, name: string): Slot {
  const column = columnOf(table, name)
  const where = `${table.name}.${name}`
  return slot(column.kind, (given) => stored(given, column, where))
}

/** For what is compared or computed with. */
function comparedSlot(kind: ColumnKind, table: Table<unknown>): Slot {
  return slot(kind, (given) => compared(given, kind, table))
}

function whereOf(condition: Condition, scope: Scope): string {
  const parts = conjuncts(condition, scope)
  return parts.length === 0 ? "" : ` where ${parts.join(" and ")}`
}

function returning(table: Table<unknown>): string {
  return ` returning ${columnList(table)}`
}

function orderOf(orderBy: Extract<Statement, { readonly _tag: "Select" }>["orderBy"]): string {
  if (orderBy.length === 0) return ""
  return ` order by ${orderBy
    .map(({ column, direction }) => `${name(column)} ${direction === "desc" ? "desc" : "asc"}`)
    .join(", ")}`
}

function limitOf(limit: number | undefined, { table, write }: Scope): string {
  if (limit === undefined) return ""
  const slotOfLimit = slot("integer", (given) => {
    requireLimit(given, table)
    return given
  })
  return ` limit ${write(slotOfLimit, limit)}`
}

function setOf(set: Assignments, scope: Scope): string {
  const { table } = scope
  let assignments = ""
  for (const column of Object.keys(set)) {
    const expression = set[column]
    if (expression === undefined) continue
    assignments += `${assignments === "" ? "" : ", "}${name(column)} = ${assigned(table, column, expression, scope)}`
  }
  if (assignments !== "") return assignments
  // A new version of the row all the same, with no key touched where there is another column.
  const keys = new Set([...table.primaryKey, ...table.unique.flatMap(({ columns }) => columns)])
  const columns = Object.keys(columnsOf(table))
  const unchanged = columns.find((column) => !keys.has(column)) ?? columns[0]!
  return `${name(unchanged)} = ${name(table.name)}.${name(unchanged)}`
}

/** An expression as the new value of a column. */
function assigned(table: Table<unknown>, name: string, expression: Expression<unknown>, scope: Scope): string {
  const column = columnOf(table, name)
  if (expression._tag === "Value") return scope.write(columnSlot(table, name), expression.value)
  return as(column.kind, expressionOf(expression, scope))
}

/** The parts of a conjunction, for a `where` that reads as one. */
function conjuncts(condition: Condition, scope: Scope): ReadonlyArray<string> {
  return condition._tag === "And"
    ? condition.conditions.flatMap((part) => conjuncts(part, scope))
    : [translate(condition, scope)]
}

function translate(condition: Condition, scope: Scope): string {
  switch (condition._tag) {
    case "Compare":
      return compare(condition.operator, condition.left, condition.right, scope)
    case "And":
    case "Or": {
      const parts = condition.conditions.map((part) => translate(part, scope))
      if (parts.length === 0) return condition._tag === "And" ? "true" : "false"
      return parts.length === 1 ? parts[0]! : `(${parts.join(condition._tag === "And" ? " and " : " or ")})`
    }
    case "Not":
      return `not (${translate(condition.condition, scope)})`
    case "In": {
      const { expression, values } = condition
      const left = operandOf(expression, expression._tag === "Value" ? kindAmong(values) : undefined, scope)
      const take = (given: unknown) =>
        (given as ReadonlyArray<unknown>).map((value) => compared(value, left.kind, scope.table))
      return `${left.text} = any(${scope.write(slot(left.kind, take, true), values)})`
    }
    case "IsNull":
      return `${operandOf(condition.expression, undefined, scope).text} is null`
  }
}

function compare(operator: Operator, left: Expression<unknown>, right: Expression<unknown>, scope: Scope): string {
  const leftOperand = operandOf(left, kindOf(right, scope.table), scope)
  const rightOperand = operandOf(right, kindOf(left, scope.table), scope)
  const kind = commonKind(leftOperand.kind, rightOperand.kind, scope.table)
  // Between two values there is no column to say how they are ordered.
  const collation = kind === "text" && left._tag === "Value" && right._tag === "Value" ? ' collate "C"' : ""
  return `${as(kind, leftOperand)} ${operator} ${as(kind, rightOperand)}${collation}`
}

interface Translated {
  readonly kind: ColumnKind
  readonly text: string
}

function operandOf(expression: Expression<unknown>, beside: ColumnKind | undefined, scope: Scope): Translated {
  if (expression._tag !== "Value") return expressionOf(expression, scope)
  const kind = kindBeside(expression.value, beside)
  return { kind, text: scope.write(comparedSlot(kind, scope.table), expression.value) }
}

function expressionOf(expression: Expression<unknown>, scope: Scope): Translated {
  switch (expression._tag) {
    case "Value":
      return operandOf(expression, undefined, scope)
    case "Column":
      return columnReference(expression.name, expression.from, scope)
    case "Now":
      return { kind: "timestamp", text: "now()" }
    case "ClockTimestamp":
      return { kind: "timestamp", text: scope.isReading === true ? "statement_timestamp()" : "clock_timestamp()" }
    case "Arithmetic":
      return arithmetic(expression.operator, expression.left, expression.right, scope)
  }
}

function columnReference(column: string, from: "row" | "excluded", { table }: Scope): Translated {
  const { kind } = columnOf(table, column)
  return { kind, text: `${from === "row" ? name(table.name) : "excluded"}.${name(column)}` }
}

function arithmetic(
  operator: "+" | "-" | "*",
  left: Expression<number>,
  right: Expression<number>,
  scope: Scope
): Translated {
  const first = operandOf(left, "integer", scope)
  const second = operandOf(right, "integer", scope)
  const kind = kindOfResult(operator, first.kind, second.kind)
  if (kind === "integer") return { kind, text: `(${as(kind, first)} ${operator} ${as(kind, second)})` }
  const [time, micros] = first.kind === "timestamp" ? [first, second] : [second, first]
  return { kind, text: `(${time.text} ${operator} ${micros.text} * interval '1 microsecond')` }
}

/** Between times and numbers; exact, for the seconds of `extract` are numeric. */
function as(kind: ColumnKind, { kind: from, text }: Translated): string {
  if (from === kind) return text
  return kind === "integer"
    ? `(extract(epoch from ${text}) * 1000000)::bigint`
    : `(timestamptz 'epoch' + ${text} * interval '1 microsecond')`
}

function compared(value: unknown, kind: ColumnKind, table: Table<unknown>): unknown {
  requireComparable(value, kind, table)
  return value ?? null
}

/** A value as a column takes it (Q4). */
function stored(value: unknown, column: Column<unknown>, where: string): unknown {
  requireStorable(value, column, where)
  return typeof value === "number" && column.kind !== "json" && !Number.isSafeInteger(value)
    ? Math.sign(value) * beyond
    : (value ?? null)
}

/** 2^53, the first integer that no column accepts. */
const beyond = Number.MAX_SAFE_INTEGER + 1

function columnList(table: Table<unknown>): string {
  return layoutOf(table).list
}

/** What every statement about a table says of its columns. */
interface Layout {
  readonly entries: ReadonlyArray<readonly [name: string, column: Column<unknown>]>
  readonly list: string
}

const layouts = new WeakMap<Table<unknown>, Layout>()

export function layoutOf(table: Table<unknown>): Layout {
  const known = layouts.get(table)
  if (known !== undefined) return known
  const entries = Object.entries(columnsOf(table))
  const layout = { entries, list: entries.map(([column]) => name(column)).join(", ") }
  layouts.set(table, layout)
  return layout
}

function columnsOf(table: Table<unknown>): Readonly<Record<string, Column<unknown>>> {
  return table.columns as Readonly<Record<string, Column<unknown>>>
}

function quoted(text: string): string {
  return text.includes("\\")
    ? `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`
}

/** A time of microseconds since 1970 as text, in UTC. */
function isoOf(micros: number): string {
  const millis = Math.floor(micros / 1_000)
  const rest = String(micros - millis * 1_000).padStart(3, "0")
  return new Date(millis).toISOString().replace("Z", `${rest}Z`)
}
