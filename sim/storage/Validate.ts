/**
 * What a column accepts and what a row must satisfy, in Postgres' order: not-null first, then checks by name. That values
 * are of their columns' kinds was seen to before (`core/storage/checkStatement.ts`).
 *
 * A value that breaks a declared rule is a `CheckViolation`. Constraint names follow Postgres: `<table>_<column>_not_null`, `<table>_<column>_check` for word lists, `<table>_<column>_range` for integers
 * beyond ±(2^53 - 1), and the declared name for checks.
 *
 * Absent on purpose: the greatest length of a text that is indexed. Postgres refuses what exceeds some 2,700 bytes once it is
 * compressed, as a `CheckViolation` with the name of the index; how much that is no model can say.
 */
import { CheckViolation } from "../../core/ports/Storage.ts"
import type { Column, Table } from "../../core/ports/Table.ts"
import { StatementDefect } from "../../core/storage/StatementDefect.ts"
import { checkCondition } from "../../core/storage/checkStatement.ts"
import { type Scope, test } from "./Evaluate.ts"

type Check = { readonly name: string; readonly holds: (scope: Scope) => boolean }

export interface Validator {
  /** The value as it is stored: json is copied and frozen. */
  readonly accept: (column: string, value: unknown) => unknown
  /** Over `scope.row`. */
  readonly check: (scope: Scope) => void
}

export const makeValidator = (table: Table<unknown>): Validator => {
  const columns = table.columns as Readonly<Record<string, Column<unknown>>>
  for (const key of table.primaryKey) {
    if (columns[key]!.nullable) throw new StatementDefect(`${table.name}: ${key} is of the primary key, so never null`)
  }
  for (const { condition } of table.checks) checkCondition(condition, table)
  const checks = checksOf(table)
  return {
    accept: (name, value) => {
      const column = columns[name]!
      if (value === null || value === undefined) {
        if (column.nullable) return null
        throw new CheckViolation({ table: table.name, constraint: `${table.name}_${name}_not_null` })
      }
      return acceptKind(table.name, name, column, value)
    },
    check: (scope) => {
      for (const check of checks) {
        if (!check.holds(scope)) throw new CheckViolation({ table: table.name, constraint: check.name })
      }
    }
  }
}

function acceptKind(table: string, name: string, column: Column<unknown>, value: unknown): unknown {
  switch (column.kind) {
    case "text":
    case "boolean":
      return value
    case "integer":
    case "timestamp":
      // Computed ones may be beyond what a number holds exactly.
      if (typeof value === "bigint" || !Number.isSafeInteger(value)) {
        throw new CheckViolation({ table, constraint: `${table}_${name}_range` })
      }
      return (value as number) + 0
    case "json":
      return frozenJson(value)
  }
}

/** A check holds unless it is false: unknown passes, as in SQL. */
function checksOf(table: Table<unknown>): ReadonlyArray<Check> {
  const checks: Array<Check> = table.checks.map(({ name, condition }) => ({
    name,
    holds: (scope) => test(condition, scope) !== false
  }))
  for (const [name, column] of Object.entries(table.columns as Readonly<Record<string, Column<unknown>>>)) {
    const { literals } = column
    if (literals !== undefined) {
      checks.push({
        name: `${table.name}_${name}_check`,
        holds: ({ row }) => row![name] === null || literals.includes(row![name] as string)
      })
    }
  }
  return checks.toSorted((left, right) => (left.name < right.name ? -1 : 1))
}

/** A frozen copy, so that neither the writer nor a reader can change what is stored. */
function frozenJson(value: unknown): unknown {
  if (typeof value === "number") return value + 0
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(frozenJson))
  return Object.freeze(
    Object.fromEntries(
      Object.entries(value)
        .filter(([, item]) => item !== undefined)
        .map(([key, item]) => [key, frozenJson(item)])
    )
  )
}
