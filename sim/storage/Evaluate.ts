/**
 * Evaluation of conditions and expressions as SQL does it: three-valued logic, nulls propagate, types never mix.
 *
 * Text is ordered by code point, which is what the C collation of a UTF-8 database does; JavaScript's `<` orders by
 * UTF-16 unit and differs for characters outside the basic plane.
 * Absent on purpose: mistakes of whoever wrote the statement, refused before (`core/storage/checkStatement.ts`).
 */
import { CheckViolation } from "../../core/ports/Storage.ts"
import type { Condition, Expression, Operator } from "../../core/ports/Condition.ts"

/** A row as it is stored: frozen, columns in declared order. */
export type StoredRow = Readonly<Record<string, unknown>>

/** What a transaction knows of time since its beginning. */
export interface Started {
  readonly startedAtMicros: number
  /** How often the clock had been set when it was read. */
  readonly clockSettings: number
}

/** Time as statements use it. */
export interface StatementClock {
  readonly now: (transaction: Started) => number
  readonly timestamp: () => number
}

/** What an expression may refer to. One object serves a whole statement; only `row` and `excluded` are replaced. */
export interface Scope {
  readonly table: string
  row: StoredRow | undefined
  excluded: StoredRow | undefined
  readonly transaction: Started
  readonly clock: StatementClock
}

/** `null` is SQL's unknown; a row qualifies only when this is `true`. */
export const test = (condition: Condition, scope: Scope): boolean | null => {
  switch (condition._tag) {
    case "Compare":
      return compare(condition.operator, evaluate(condition.left, scope), evaluate(condition.right, scope))
    case "And": {
      let result: boolean | null = true
      for (const part of condition.conditions) {
        const tested = test(part, scope)
        if (tested === false) return false
        if (tested === null) result = null
      }
      return result
    }
    case "Or": {
      let result: boolean | null = false
      for (const part of condition.conditions) {
        const tested = test(part, scope)
        if (tested === true) return true
        if (tested === null) result = null
      }
      return result
    }
    case "Not": {
      const tested = test(condition.condition, scope)
      return tested === null ? null : !tested
    }
    case "In":
      return isIn(evaluate(condition.expression, scope), condition.values)
    case "IsNull":
      return evaluate(condition.expression, scope) === null
  }
}

export const evaluate = (expression: Expression<unknown>, scope: Scope): unknown => {
  switch (expression._tag) {
    case "Value":
      return expression.value === undefined ? null : expression.value
    case "Column": {
      return (expression.from === "row" ? scope.row! : scope.excluded!)[expression.name]
    }
    case "Now":
      return scope.clock.now(scope.transaction)
    case "ClockTimestamp":
      return scope.clock.timestamp()
    case "Arithmetic": {
      const left = evaluate(expression.left, scope) as number | bigint | null
      const right = evaluate(expression.right, scope) as number | bigint | null
      if (left === null || right === null) return null
      const { operator } = expression
      if (typeof left === "number" && typeof right === "number") {
        const result = operator === "+" ? left + right : operator === "-" ? left - right : left * right
        if (Number.isSafeInteger(result)) return result + 0
      }
      return computeBig(operator, left, right, scope.table)
    }
  }
}

/**
 * Arithmetic that left what a number holds exactly: Postgres counts on to 2^63, and the range of a column refuses what it
 * cannot hold. A bigint is always beyond ±(2^53 - 1), so that it equals no number.
 */
function computeBig(
  operator: "+" | "-" | "*",
  left: number | bigint,
  right: number | bigint,
  table: string
): number | bigint {
  const [first, second] = [BigInt(left), BigInt(right)]
  const result = operator === "+" ? first + second : operator === "-" ? first - second : first * second
  if (result !== BigInt.asIntN(64, result)) {
    throw new CheckViolation({ table, constraint: "integer out of range" })
  }
  return Number.isSafeInteger(Number(result)) ? Number(result) : result
}

/** Orders two values of one column for `order by`: nulls are greater than everything, as in Postgres. */
export const order = (left: unknown, right: unknown): number => {
  if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1
  return compareValues(left, right)
}

/** Code point order. A surrogate stands for a character beyond every single unit. */
export const compareText = (left: string, right: string): number => {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const leftUnit = left.charCodeAt(index)
    const rightUnit = right.charCodeAt(index)
    if (leftUnit !== rightUnit) {
      const leftSurrogate = isSurrogate(leftUnit)
      return leftSurrogate === isSurrogate(rightUnit) ? leftUnit - rightUnit : leftSurrogate ? 1 : -1
    }
  }
  return left.length - right.length
}

function compare(operator: Operator, left: unknown, right: unknown): boolean | null {
  if (left === null || right === null) return null
  switch (operator) {
    case "=":
      return left === right
    case "<>":
      return left !== right
    case "<":
      return compareValues(left, right) < 0
    case "<=":
      return compareValues(left, right) <= 0
    case ">":
      return compareValues(left, right) > 0
    case ">=":
      return compareValues(left, right) >= 0
  }
}

function isIn(value: unknown, values: ReadonlyArray<unknown>): boolean | null {
  if (value === null) return values.length === 0 ? false : null
  let unknown = false
  for (const candidate of values) {
    if (candidate === null || candidate === undefined) unknown = true
    else if (value === candidate) return true
  }
  return unknown ? null : false
}

function compareValues(left: unknown, right: unknown): number {
  if (typeof left === "string") return compareText(left, right as string)
  // Between a number and a bigint as well, exactly.
  return (left as number) < (right as number) ? -1 : (left as number) > (right as number) ? 1 : 0
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}
