/**
 * The expression language of the storage port: small enough to be modelled honestly, and each form one SQL expression.
 *
 * Three-valued logic as in SQL: a comparison with null is neither true nor false, and a row qualifies only when its
 * condition is true.
 */

/** Marks what the constructors below made, so that no document is mistaken for an expression because of its `_tag`. */
export const ExpressionTypeId: unique symbol = Symbol.for("stormglass/core/ports/Expression")

/** A value of a column, or something computed from columns and the database's clock. Times are microseconds. */
export type Expression<A> = { readonly [ExpressionTypeId]: true; readonly "~A"?: A } & (
  | { readonly _tag: "Value"; readonly value: unknown }
  | { readonly _tag: "Column"; readonly name: string; readonly from: "row" | "excluded" }
  /** The database's time at the start of the transaction, as `now()` in Postgres. */
  | { readonly _tag: "Now" }
  /** The database's time at this moment, as `clock_timestamp()` in Postgres. */
  | { readonly _tag: "ClockTimestamp" }
  | {
      readonly _tag: "Arithmetic"
      readonly operator: "+" | "-" | "*"
      readonly left: Expression<number>
      readonly right: Expression<number>
    }
)

export type Operator = "=" | "<>" | "<" | "<=" | ">" | ">="

export type Condition =
  | {
      readonly _tag: "Compare"
      readonly operator: Operator
      readonly left: Expression<unknown>
      readonly right: Expression<unknown>
    }
  | { readonly _tag: "And"; readonly conditions: ReadonlyArray<Condition> }
  | { readonly _tag: "Or"; readonly conditions: ReadonlyArray<Condition> }
  | { readonly _tag: "Not"; readonly condition: Condition }
  | { readonly _tag: "In"; readonly expression: Expression<unknown>; readonly values: ReadonlyArray<unknown> }
  | { readonly _tag: "IsNull"; readonly expression: Expression<unknown> }

/** One expression for each column; what `where` and `set` callbacks receive. */
export type Row<R> = { readonly [K in keyof R]: Expression<R[K]> }

/** A plain value or an expression, wherever a value may stand. */
export type Operand<A> = A | Expression<A>

export const now: Expression<number> = { [ExpressionTypeId]: true, _tag: "Now" }
export const clockTimestamp: Expression<number> = { [ExpressionTypeId]: true, _tag: "ClockTimestamp" }

export const value = <A>(of: A): Expression<A> => ({ [ExpressionTypeId]: true, _tag: "Value", value: of })

/** `excluded` is the row that an insert proposed, as in Postgres. */
export const column = <A>(name: string, from: "row" | "excluded" = "row"): Expression<A> => ({
  [ExpressionTypeId]: true,
  _tag: "Column",
  name,
  from
})

export const add = (left: Operand<number>, right: Operand<number>): Expression<number> => arithmetic("+", left, right)
export const subtract = (left: Operand<number>, right: Operand<number>): Expression<number> =>
  arithmetic("-", left, right)
export const multiply = (left: Operand<number>, right: Operand<number>): Expression<number> =>
  arithmetic("*", left, right)

type Comparison = <A>(left: Expression<A>, right: Operand<A>) => Condition

export const eq: Comparison = compare("=")
export const ne: Comparison = compare("<>")
export const lt: Comparison = compare("<")
export const le: Comparison = compare("<=")
export const gt: Comparison = compare(">")
export const ge: Comparison = compare(">=")

export const and = (...conditions: ReadonlyArray<Condition>): Condition => ({ _tag: "And", conditions })
export const or = (...conditions: ReadonlyArray<Condition>): Condition => ({ _tag: "Or", conditions })
export const not = (condition: Condition): Condition => ({ _tag: "Not", condition })
export const isNull = <A>(expression: Expression<A | null>): Condition => ({ _tag: "IsNull", expression })
export const isNotNull = <A>(expression: Expression<A | null>): Condition => not(isNull(expression))

/** `in ()` of no values is false, as a condition that nothing can meet. */
export const isIn = <A>(expression: Expression<A>, values: ReadonlyArray<A>): Condition => ({
  _tag: "In",
  expression,
  values
})

/** The condition that every row meets. */
export const always: Condition = and()

export const toExpression = <A>(operand: Operand<A>): Expression<A> =>
  isExpression(operand) ? operand : value(operand)

function isExpression<A>(operand: Operand<A>): operand is Expression<A> {
  return typeof operand === "object" && operand !== null && ExpressionTypeId in operand
}

function compare(operator: Operator): Comparison {
  return (left, right) => ({ _tag: "Compare", operator, left, right: toExpression(right) })
}

function arithmetic(operator: "+" | "-" | "*", left: Operand<number>, right: Operand<number>): Expression<number> {
  return {
    [ExpressionTypeId]: true,
    _tag: "Arithmetic",
    operator,
    left: toExpression(left),
    right: toExpression(right)
  }
}
