/** A statement of a known form says what it would say if nothing were known. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import {
  type Condition,
  type Expression,
  add,
  and,
  clockTimestamp,
  column,
  eq,
  isIn,
  lt,
  multiply,
  now,
  or,
  subtract,
  value
} from "../../core/ports/Condition.ts"
import { type Assignments, type Fence, type Statement, leases } from "../../core/ports/Storage.ts"
import { type Table, boolean, integer, json, make, nullable, text, timestamp } from "../../core/ports/Table.ts"
import { StatementDefect } from "../../core/storage/StatementDefect.ts"
import { checkStatement } from "../../core/storage/checkStatement.ts"
import { type Sql, type Told, toSql } from "./Sql.ts"
import { SqlForms } from "./SqlForms.ts"

/** Columns that are called as what a statement is made of, and as what stands between names in it. */
const odd = make("odd", {
  columns: {
    id: text,
    Value: nullable(text),
    'id","Value': text,
    "1": integer,
    false: nullable(integer),
    text: nullable(timestamp),
    And: boolean,
    "id\u0000Value": nullable(json(Schema.Unknown))
  },
  primaryKey: ["id"]
})
const names = Object.keys(odd.columns)
const tables = new Map<string, Table<unknown>>([odd, leases].map((table) => [table.name, table]))

const words = fc.constantFrom("", "id", "Value", "Column", "And", "row", "1", "false", "$1", "'", "\u0000", "\uD800")
const values = fc.oneof(
  { weight: 4, arbitrary: words },
  { weight: 4, arbitrary: fc.oneof(fc.integer(), fc.constantFrom(2 ** 53, 0.5, Infinity)) },
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom<unknown>({ And: [1] }, ["Value"])
)
const columns = fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...names) }, fc.constant("nope"))
const conditionDepth = fc.createDepthIdentifier()
const expressionDepth = fc.createDepthIdentifier()

const expressions: fc.Arbitrary<Expression<unknown>> = fc.letrec<{ expression: Expression<unknown> }>((tie) => ({
  expression: fc.oneof(
    { depthIdentifier: expressionDepth, maxDepth: 2, withCrossShrink: true },
    { weight: 4, arbitrary: values.map((of) => value(of)) },
    {
      weight: 4,
      arbitrary: fc
        .tuple(fc.constantFrom(...names), fc.constantFrom("row" as const, "row" as const, "excluded" as const))
        .map(([name, from]) => column(name, from))
    },
    fc.constantFrom(now, clockTimestamp),
    fc
      .tuple(fc.constantFrom(add, subtract, multiply), tie("expression"), tie("expression"))
      .map(([of, left, right]) => of(left as Expression<number>, right as Expression<number>))
  )
})).expression

/** A column with a value that belongs there. */
const fitting = fc.oneof(
  fc.tuple(fc.constantFrom("id", "Value", 'id","Value'), fc.constantFrom<unknown>("", "id", "Value", "Column", "'$1")),
  fc.tuple(fc.constantFrom("1", "false", "text"), fc.oneof(fc.integer(), fc.constant(null))),
  fc.tuple(fc.constant("And"), fc.boolean())
)

const conditions: fc.Arbitrary<Condition> = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { depthIdentifier: conditionDepth, maxDepth: 3, withCrossShrink: true },
    { weight: 16, arbitrary: fitting.map(([name, of]) => eq(column(name), of)) },
    {
      weight: 2,
      arbitrary: fc.record({
        _tag: fc.constant("Compare" as const),
        operator: fc.constantFrom("=" as const, "<" as const),
        left: expressions,
        right: expressions
      })
    },
    fc.record({
      _tag: fc.constant("In" as const),
      expression: expressions,
      values: fc.array(values, { maxLength: 2 })
    }),
    fc.record({ _tag: fc.constant("IsNull" as const), expression: expressions }),
    fc.record({ _tag: fc.constant("Not" as const), condition: tie("condition") }),
    fc.record({
      _tag: fc.constantFrom("And" as const, "Or" as const),
      conditions: fc.array(tie("condition"), { maxLength: 2 })
    })
  )
})).condition

const assignments: fc.Arbitrary<Assignments> = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: fitting.map(([name, of]) => [name, value(of)] as const) },
      fc.tuple(columns, fc.option(expressions, { nil: undefined, freq: 6 }))
    ),
    { maxLength: 3 }
  )
  .map((entries) => Object.fromEntries(entries) as Assignments)

const target = fc.oneof({ weight: 8, arbitrary: fc.constant(["id"]) }, fc.subarray(["id", "Value"]))
const table = fc.oneof({ weight: 20, arbitrary: fc.constant("odd") }, fc.constant("nope"))
const statements: fc.Arbitrary<Statement> = fc.oneof(
  fc.record({
    _tag: fc.constant("Select" as const),
    table,
    where: conditions,
    orderBy: fc.array(fc.record({ column: columns, direction: fc.constantFrom("asc" as const, "desc" as const) }), {
      maxLength: 2
    }),
    limit: fc.option(fc.integer({ min: -1, max: 3 }), { nil: undefined }),
    lock: fc.constantFrom(undefined, "for update" as const, "for share" as const),
    skipLocked: fc.boolean()
  }),
  fc.record({ _tag: fc.constantFrom("Count" as const, "Delete" as const), table, where: conditions }),
  fc.record({ _tag: fc.constant("Update" as const), table, where: conditions, set: assignments }),
  fc.record({
    _tag: fc.constant("Insert" as const),
    table,
    rows: fc.array(assignments, { maxLength: 2 }),
    onConflict: fc.oneof(
      fc.constant(undefined),
      fc.record({ _tag: fc.constant("Nothing" as const), target }),
      fc.record({ _tag: fc.constant("Update" as const), target, set: assignments, where: conditions })
    )
  })
)
const gates = fc.array(fc.record({ lease: fc.constantFrom("", "l", "\u0000"), epoch: fc.integer() }), { maxLength: 2 })

/** The same with other values, each of its kind or of another. */
function revalued<A>(of: A, next: (before: unknown) => unknown): A {
  if (Array.isArray(of)) return of.map((item: unknown) => revalued(item, next)) as A
  if (typeof of !== "object" || of === null) return of
  const node = of as unknown as {
    readonly _tag?: string
    readonly value?: unknown
    readonly values?: ReadonlyArray<unknown>
  }
  if (node._tag === "Value") return { ...of, value: next(node.value) }
  const copy = Object.fromEntries(Object.entries(of).map(([key, item]) => [key, revalued(item, next)]))
  if (node._tag === "In") copy["values"] = node.values!.map(next)
  return Object.assign(Object.create(null), of, copy) as A
}

const others = fc.record({
  string: fc.oneof({ weight: 6, arbitrary: fc.constantFrom("other", "Value", "And") }, words),
  number: fc.oneof({ weight: 6, arbitrary: fc.integer() }, fc.constantFrom(2 ** 53, 0.5)),
  boolean: fc.boolean(),
  object: fc.constantFrom<unknown>(null, null, null, { other: 1 })
})

const told = (ask: () => Sql): unknown => {
  try {
    const { parameters, text } = ask()
    return { parameters, text }
  } catch (error) {
    assert.instanceOf(error, StatementDefect)
    return error.message
  }
}

const fresh = (label: string, statement: Statement, gate: ReadonlyArray<Fence> = [], project?: Told) =>
  told(() => {
    const { parameters, text } = toSql(statement, tables, gate, project)
    assert.lengthOf(
      parameters,
      checkStatement(statement, (name) => tables.get(name), gate, project?.project).parameters
    )
    return { parameters, text: `/* ${label} */ ${text}` }
  })

describe("a statement of a known form", () => {
  it("is what it would be anew, whatever was asked before, its mistakes included", () => {
    const seen = { refused: 0, made: 0 }
    const ask = fc.record({
      statement: statements,
      gate: gates,
      project: fc.option(fc.record({ project: fc.constantFrom("p", "q", "\u0000"), isAlone: fc.boolean() }), {
        nil: undefined
      }),
      other: others,
      label: fc.constantFrom("a", "And")
    })
    fc.assert(
      fc.property(fc.array(ask, { minLength: 1, maxLength: 6 }), fc.constantFrom(60, 32_768), (asks, wordsMax) => {
        const forms = new SqlForms(tables, wordsMax)
        const twice = asks.flatMap(({ gate, label, other, project, statement }) => {
          const next = (before: unknown) => other[typeof before as keyof typeof other]
          const again = {
            label,
            statement: revalued(statement, next),
            gate: gate.map((fence) => ({ ...fence, lease: other.string })),
            project: project === undefined ? undefined : { ...project, project: other.string }
          }
          return [{ gate, label, project, statement }, again, { ...again, statement }]
        })
        for (const { gate, label, project, statement } of [...twice, ...twice]) {
          const anew = fresh(label, statement, gate, project)
          assert.deepStrictEqual(
            told(() => forms.of(label, statement, gate, project)),
            anew
          )
          seen[typeof anew === "string" ? "refused" : "made"]++
        }
      }),
      { numRuns: 600 }
    )
    assert.isAbove(seen.made, seen.refused)
  })

  it("is not translated again, whatever its values and however long its list", () => {
    const counted = new (class extends Map<string, Table<unknown>> {
      translations = 0
      override get(name: string) {
        this.translations++
        return super.get(name)
      }
    })(tables)
    const forms = new SqlForms(counted)
    const update = (id: string, ids: ReadonlyArray<string>, epoch: number) => {
      const where = and(eq(odd.row.id, id), isIn(odd.row.id, ids))
      const set = { 1: add(odd.row["1"], epoch), false: value(epoch === 1 ? null : epoch) }
      return forms.of("a", { _tag: "Update", table: "odd", where, set }, [{ lease: id, epoch }])
    }
    const texts = [update("x", [], 1), update("y", ["a", "b"], 2), update("And", ["Value"], 3)].map(({ text }) => text)
    assert.strictEqual(new Set(texts).size, 1)
    assert.strictEqual(counted.translations, 1)
  })

  const where = (condition: Condition): Statement => ({ _tag: "Count", table: "odd", where: condition })
  const insert = (row: object, set: Assignments = {}): Statement => ({
    _tag: "Insert",
    table: "odd",
    rows: [Object.fromEntries(Object.entries(row).map(([name, of]) => [name, value(of)]))],
    onConflict: { _tag: "Update", target: ["id"], set, where: and() }
  })
  const of = (name: string) => eq(column(name), "a")
  const limited = (limit: number | undefined, lock?: "for update"): Statement => ({
    _tag: "Select",
    table: "odd",
    where: and(),
    orderBy: [],
    limit,
    lock,
    skipLocked: false
  })
  const alike: ReadonlyArray<readonly [string, Statement, Statement]> = [
    ["two values of other kinds", where(eq(value<unknown>("1"), "a")), where(eq(value<unknown>(1), 2))],
    ["a value and null", where(eq(value<unknown>("1"), null)), where(eq(value<unknown>(null), 2))],
    ["null in lists of other kinds", where(isIn<unknown>(value(null), [1])), where(isIn<unknown>(value(null), ["a"]))],
    [
      "and other groups",
      where(or(or(of("id"), of("Value")), of("id"))),
      where(or(or(of("id")), of("Value"), of("id")))
    ],
    ["all of nothing and any of nothing", where(and(and())), where(and(or()))],
    ["one table and another", where(and()), { _tag: "Count", table: "leases", where: and() }],
    ["a count and a removal", where(and()), { _tag: "Delete", table: "odd", where: and() }],
    ["a column that is not there", insert({ id: "a" }), { ...insert({ id: "a", nope: "b" }) }],
    ["a column not given and one that is not there", insert({ id: "a", Value: "b" }), insert({ id: "a", nope: "b" })],
    [
      "the row there and the one proposed",
      insert({}, { id: column("id") }),
      insert({}, { id: column("id", "excluded") })
    ],
    ["this column and that", insert({ id: "a" }), insert({ Value: "a" })],
    ["a limit and none", limited(1), limited(undefined)],
    ["a lock and none", limited(1), limited(1, "for update")],
    ["two operators", where(eq(odd.row["1"], 1)), where(lt(odd.row["1"], 1))],
    ["a sum and a product", where(eq(add(odd.row["1"], 1), 1)), where(eq(multiply(odd.row["1"], 1), 1))],
    ["the time and the clock", where(eq(odd.row.text, now)), where(eq(odd.row.text, clockTimestamp))],
    ["names with what stands between them", where(of('id","Value')), where(and(of("id"), of("Value")))]
  ]
  for (const [title, first, second] of alike) {
    it(`is another one: ${title}`, () => {
      for (const order of [
        [first, second],
        [second, first]
      ]) {
        const forms = new SqlForms(tables)
        for (const statement of order)
          assert.deepStrictEqual(
            told(() => forms.of("a", statement)),
            fresh("a", statement)
          )
      }
      assert.notDeepEqual(fresh("a", first), fresh("a", second))
    })
  }

  it("may give one value in two places, or two statements the same value", () => {
    const forms = new SqlForms(tables)
    const both = (first: Expression<unknown>, second: Expression<unknown>) => {
      const where: Condition = { _tag: "Compare", operator: "=", left: column("id"), right: first }
      const statement: Statement = { _tag: "Update", table: "odd", where, set: { Value: second } }
      return forms.of("a", statement).parameters.map((parameter) => parameter.value)
    }
    const once = value("once")
    assert.deepStrictEqual(both(once, once), ["once", "once"])
    assert.deepStrictEqual(both(value("where"), value("set")), ["set", "where"])
    assert.deepStrictEqual(both(once, value("set")), ["set", "once"])
  })

  it("has its label as a comment that nothing in it can end, whatever it is labelled", () => {
    const forms = new SqlForms(tables)
    assert.strictEqual(forms.control("a/b */ drop", "commit").text, "/* a/b _/ drop */ commit")
    assert.strictEqual(forms.control("a", "commit").text, "/* a */ commit")
    assert.strictEqual(forms.control("a", "rollback").text, "/* a */ rollback")
    assert.strictEqual(forms.control("n".repeat(300), "commit").text, `/* ${"n".repeat(200)} */ commit`)
  })

  it("is one of a bounded number: a form for every number of rows is not kept for ever", () => {
    const wordsMax = 2_000
    const forms = new SqlForms(tables, wordsMax)
    const row = { id: value("a") }
    for (let count = 0; count < 250; count++) {
      forms.of(`label ${count % 7}`, {
        _tag: "Insert",
        table: "odd",
        rows: Array.from({ length: count }, () => row),
        onConflict: undefined
      })
      assert.isAtMost(forms.words, wordsMax)
    }
  })
})
