/**
 * Of what kind an expression is, what kinds go together, and which values are of a kind. Pure; shared by the check of statements
 * (`checkStatement.ts`) and by whoever translates them. Everything throws `StatementDefect`.
 *
 * - K1 Kinds never mix, but for times and numbers: beside a time a number is one, in microseconds since 1970.
 * - K2 A plain value takes the kind of what it stands beside, where it can; null has no kind of its own.
 * - K3 What a condition or a sum is given must be exact. What a column is given may be beyond ±(2^53 - 1), for the column's own
 *   check to refuse.
 *
 * Absent on purpose: json in comparisons.
 */
import type { Expression } from "../ports/Condition.ts"
import type { Column, ColumnKind, Table } from "../ports/Table.ts"
import { StatementDefect } from "./StatementDefect.ts"

export const columnOf = ({ columns, name }: Table<unknown>, column: string): Column<unknown> => {
  if (!Object.hasOwn(columns, column)) throw new StatementDefect(`${name}: no column ${column}`)
  return (columns as Readonly<Record<string, Column<unknown>>>)[column]!
}

/** A number alone is an integer; null has no kind of its own. */
export const kindOfValue = (value: unknown): ColumnKind | undefined => {
  switch (typeof value) {
    case "string":
      return "text"
    case "number":
      return "integer"
    case "boolean":
      return "boolean"
    default:
      return value === null || value === undefined ? undefined : "json"
  }
}

/** The kind of a list: of the first that has one. */
export const kindAmong = (values: ReadonlyArray<unknown>): ColumnKind | undefined =>
  kindOfValue(values.find((value) => value !== null && value !== undefined))

/** Of a plain value that stands beside something of this kind (K2). */
export const kindBeside = (value: unknown, beside: ColumnKind | undefined): ColumnKind => {
  const own = kindOfValue(value)
  return own === undefined ? (beside ?? "text") : isNumeric(own) && isNumeric(beside) ? beside! : own
}

/** What two sides are compared as: times with numbers as times. */
export const commonKind = (left: ColumnKind, right: ColumnKind, { name }: Table<unknown>): ColumnKind => {
  if (left === "json" || right === "json") throw new StatementDefect(`${name}: json cannot be compared`)
  if (left === right) return left
  if (isNumeric(left) && isNumeric(right)) return "timestamp"
  throw new StatementDefect(`${name}: ${left} cannot be compared with ${right}`)
}

/** As far as it is certain: a plain null has none. */
export const kindOf = (expression: Expression<unknown>, table: Table<unknown>): ColumnKind | undefined => {
  switch (expression._tag) {
    case "Value":
      return kindOfValue(expression.value)
    case "Column":
      return columnOf(table, expression.name).kind
    case "Now":
    case "ClockTimestamp":
      return "timestamp"
    case "Arithmetic": {
      const { left, operator, right } = expression
      return kindOfResult(operator, kindOf(left, table) ?? "integer", kindOf(right, table) ?? "integer")
    }
  }
}

/** A time and a number make a time, two times a number. */
export const kindOfResult = (operator: "+" | "-" | "*", left: ColumnKind, right: ColumnKind): ColumnKind => {
  if (operator === "*") return "integer"
  if (left === "timestamp") return right === "timestamp" ? "integer" : "timestamp"
  return right === "timestamp" && operator === "+" ? "timestamp" : "integer"
}

export const isNumeric = (kind: ColumnKind | undefined): boolean => kind === "integer" || kind === "timestamp"

/** A value as it may stand in a comparison with this kind. */
export const requireComparable = (value: unknown, kind: ColumnKind, { name }: Pick<Table<unknown>, "name">): void => {
  const own = kindOfValue(value)
  if (own === undefined) return
  if (own === "json") throw new StatementDefect(`${name}: json cannot be compared`)
  if (own !== kind && !(isNumeric(own) && isNumeric(kind))) {
    throw new StatementDefect(`${name}: ${kind} cannot be compared with ${own}`)
  }
  if (own === "text") requireText(value as string, `${name}, in a condition`)
  else if (own === "integer" && !Number.isSafeInteger(value)) {
    throw new StatementDefect(`${name}: ${String(value)} in a condition is not an integer within ±(2^53 - 1)`)
  }
}

/** A value as a column is given it (K3). Whether it may be null is for the column's own check. */
export const requireStorable = (value: unknown, { kind }: Column<unknown>, where: string): void => {
  if (value === null || value === undefined) return
  switch (kind) {
    case "text":
      if (typeof value !== "string") throw mistyped(where, kind, value)
      return requireText(value, where)
    case "integer":
    case "timestamp":
      if (typeof value !== "number" || !(Number.isInteger(value) || Math.abs(value) === Infinity)) {
        throw mistyped(where, kind, value)
      }
      return
    case "boolean":
      if (typeof value !== "boolean") throw mistyped(where, kind, value)
      return
    case "json":
      return requireDocument(value, where)
  }
}

/** As many rows as a `select` may be limited to. */
export const requireLimit = (limit: unknown, { name }: Table<unknown>): void => {
  if (!Number.isSafeInteger(limit) || (limit as number) < 0) {
    throw new StatementDefect(`${name}: limit ${String(limit)}`)
  }
}

const requireText = (value: string, where: string): void => {
  if (value.includes("\u0000") || !value.isWellFormed()) {
    throw new StatementDefect(`${where}: text is valid Unicode without NUL`)
  }
}

/** Refuses what json would silently change or drop; properties that are undefined are not there. */
const requireDocument = (value: unknown, where: string): void => {
  if (value === null || typeof value === "boolean") return
  if (typeof value === "string") return requireText(value, where)
  if (typeof value === "number" && Number.isFinite(value)) return
  if (Array.isArray(value)) {
    // By position: a hole is undefined, which json would make null.
    for (let index = 0; index < value.length; index++) requireDocument(value[index], where)
    return
  }
  if (typeof value === "object") {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) {
      for (const [key, item] of Object.entries(value)) {
        if (item === undefined) continue
        requireText(key, where)
        requireDocument(item, where)
      }
      return
    }
  }
  throw new StatementDefect(`${where}: not a json document`)
}

function mistyped(where: string, kind: ColumnKind, value: unknown): StatementDefect {
  return new StatementDefect(`${where} is ${kind}, not ${typeof value} ${String(value)}`)
}
