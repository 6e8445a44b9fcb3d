/**
 * What is wrong with a statement whatever the data: told before anything is sent, by every implementation of the port alike.
 *
 * - C1 Values are looked at in the order in which `adapters/postgres/Sql.ts` writes them: assignments before conditions, the limit
 *   after them, the gate last. What is found first is what is told.
 * - C2 A value is a parameter, a list is one, and so is a column that a new row does not mention. There are at most so many as one
 *   message to Postgres can hold.
 */
import type { Condition, Expression } from "../ports/Condition.ts"
import { type Assignments, type Fence, type Statement, leases } from "../ports/Storage.ts"
import type { Column, ColumnKind, Table } from "../ports/Table.ts"
import {
  columnOf,
  commonKind,
  isNumeric,
  kindAmong,
  kindBeside,
  kindOf,
  kindOfResult,
  requireComparable,
  requireLimit,
  requireStorable
} from "./Kinds.ts"
import { StatementDefect } from "./StatementDefect.ts"

/** How many values one statement is sent with. */
export const parametersMax = 32_767

/** What a statement says something about: its table, and with how many values. */
export interface Checked {
  readonly table: Table<unknown>
  readonly parameters: number
}

export type Plain = Exclude<Statement, { readonly _tag: "Fence" }>

/** Whether it changes nothing. */
export const isRead = (statement: Plain): boolean =>
  statement._tag === "Select" ||
  statement._tag === "Count" ||
  (statement._tag === "Insert" && statement.rows.length === 0)

/** Throws `StatementDefect`. `gate`: the fences that the statement carries itself; `project`: the one that it is for, and says so. */
export const checkStatement = (
  statement: Statement,
  find: (table: string) => Table<unknown> | undefined,
  gate: ReadonlyArray<Fence> = [],
  project?: string
): Checked => {
  const table = statement._tag === "Fence" ? (leases as Table<unknown>) : find(statement.table)
  if (table === undefined) throw new StatementDefect(`no table ${(statement as Plain).table}`)
  const scope: Scope = { table, columns: "row", parameters: 0 }
  if (statement._tag === "Fence") {
    checkFences(statement.fences)
    scope.parameters += 2
  } else {
    check(statement, scope)
    checkFences(gate)
    if (gate.length > 0) scope.parameters += 2 * gate.length + (isRead(statement) ? 0 : 1)
    if (project !== undefined) {
      checkProject(project)
      scope.parameters++
    }
  }
  if (scope.parameters > parametersMax) {
    throw new StatementDefect(
      `${table.name}: ${scope.parameters} values in one statement, at most ${parametersMax} are sent: divide it`
    )
  }
  return scope
}

/** The same of a condition on its own, over the rows of a table. */
export const checkCondition = (condition: Condition, table: Table<unknown>): void =>
  checkWhere(condition, { table, columns: "row", parameters: 0 })

const changesRows = (statement: Plain): boolean =>
  statement._tag === "Update" ||
  statement._tag === "Delete" ||
  (statement._tag === "Insert" && statement.onConflict?._tag === "Update")

interface Scope {
  readonly table: Table<unknown>
  /** Which rows an expression may take columns from here. */
  columns: "none" | "row" | "row and excluded"
  parameters: number
}

function check(statement: Plain, scope: Scope): void {
  const { table } = scope
  if (table.isAppendOnly && changesRows(statement)) throw new StatementDefect(`${table.name} is append-only`)
  switch (statement._tag) {
    case "Select":
      checkWhere(statement.where, scope)
      for (const { column } of statement.orderBy) {
        if (columnOf(table, column).kind === "json") {
          throw new StatementDefect(`${table.name}.${column}: json has no order`)
        }
      }
      if (statement.limit === undefined) return
      requireLimit(statement.limit, table)
      scope.parameters++
      return
    case "Count":
    case "Delete":
      return checkWhere(statement.where, scope)
    case "Update":
      checkAssignments(statement.set, scope)
      return checkWhere(statement.where, scope)
    case "Insert":
      return checkInsert(statement, scope)
  }
}

function checkInsert({ onConflict, rows }: Extract<Statement, { readonly _tag: "Insert" }>, scope: Scope): void {
  const { table } = scope
  // Of nothing to insert nothing else is asked either.
  if (rows.length === 0) return
  const columns = Object.keys(table.columns)
  scope.columns = "none"
  for (const row of rows) {
    for (const column of Object.keys(row)) columnOf(table, column)
    for (const column of columns) {
      const expression = row[column]
      if (expression === undefined) scope.parameters++
      else checkAssigned(column, expression, scope)
    }
  }
  if (onConflict === undefined) return
  const { target } = onConflict
  for (const column of target) columnOf(table, column)
  if (target.length > 0 || onConflict._tag === "Update") requireUnique(target, table)
  if (onConflict._tag === "Nothing") return
  scope.columns = "row and excluded"
  checkAssignments(onConflict.set, scope)
  checkWhere(onConflict.where, scope)
}

/** What an insert may meet must be unique by these columns, in whatever order. */
function requireUnique(target: ReadonlyArray<string>, { name, primaryKey, unique }: Table<unknown>): void {
  const isTarget = (columns: ReadonlyArray<string>) =>
    columns.length === target.length && columns.every((column) => target.includes(column))
  if (isTarget(primaryKey) || unique.some(({ columns }) => isTarget(columns))) return
  throw new StatementDefect(`${name}: no unique constraint on (${target.join(", ")})`)
}

function checkAssignments(set: Assignments, scope: Scope): void {
  for (const column of Object.keys(set)) columnOf(scope.table, column)
  for (const column of Object.keys(set)) {
    const expression = set[column]
    if (expression !== undefined) checkAssigned(column, expression, scope)
  }
}

/** An expression as the new value of a column. */
function checkAssigned(name: string, expression: Expression<unknown>, scope: Scope): void {
  const { table } = scope
  const column: Column<unknown> = columnOf(table, name)
  if (expression._tag === "Value") {
    scope.parameters++
    return requireStorable(expression.value, column, `${table.name}.${name}`)
  }
  const kind = checkExpression(expression, undefined, scope)
  if (kind !== column.kind && !(isNumeric(kind) && isNumeric(column.kind))) {
    throw new StatementDefect(`${table.name}.${name} is ${column.kind}, not ${kind}`)
  }
}

function checkWhere(condition: Condition, scope: Scope): void {
  const { table } = scope
  switch (condition._tag) {
    case "Compare": {
      const { left, right } = condition
      const leftKind = checkExpression(left, kindOf(right, table), scope)
      const rightKind = checkExpression(right, kindOf(left, table), scope)
      commonKind(leftKind, rightKind, table)
      return
    }
    case "And":
    case "Or":
      for (const part of condition.conditions) checkWhere(part, scope)
      return
    case "Not":
      return checkWhere(condition.condition, scope)
    case "In": {
      const { expression, values } = condition
      const kind = checkExpression(expression, expression._tag === "Value" ? kindAmong(values) : undefined, scope)
      for (const value of values) requireComparable(value, kind, table)
      scope.parameters++
      return
    }
    case "IsNull":
      checkExpression(condition.expression, undefined, scope)
  }
}

/** Answers its kind. */
function checkExpression(expression: Expression<unknown>, beside: ColumnKind | undefined, scope: Scope): ColumnKind {
  const { columns, table } = scope
  switch (expression._tag) {
    case "Value": {
      const kind = kindBeside(expression.value, beside)
      requireComparable(expression.value, kind, table)
      scope.parameters++
      return kind
    }
    case "Column": {
      const { from, name } = expression
      if (columns === "none" || (from === "excluded" && columns !== "row and excluded")) {
        throw new StatementDefect(`${table.name}: no ${from} to take columns from here`)
      }
      return columnOf(table, name).kind
    }
    case "Now":
    case "ClockTimestamp":
      return "timestamp"
    case "Arithmetic": {
      const { operator } = expression
      const left = checkExpression(expression.left, "integer", scope)
      const right = checkExpression(expression.right, "integer", scope)
      for (const kind of [left, right]) {
        if (!isNumeric(kind)) throw new StatementDefect(`${table.name}: ${kind} in arithmetic`)
      }
      return kindOfResult(operator, left, right)
    }
  }
}

/** Throws `StatementDefect`. */
export function checkFences(fences: ReadonlyArray<Fence>): void {
  for (const { epoch, lease } of fences) {
    requireComparable(lease, "text", leases)
    requireComparable(epoch, "integer", leases)
  }
}

/** Throws `StatementDefect`. */
export function checkProject(project: unknown): void {
  requireComparable(project, "text", { name: "the project" })
}
