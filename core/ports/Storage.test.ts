/** The translation of typed calls into statements, which every implementation of the port shares. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { add, and, eq, isIn, now, or, value } from "./Condition.ts"
import { type Answer, type Statement, type Transaction, makeTransaction } from "./Storage.ts"
import { integer, json, make, nullable, text } from "./Table.ts"

const jobs = make("jobs", {
  columns: { id: text, attempts: integer, due: nullable(json(Schema.DateFromString)), body: json(Schema.Unknown) },
  primaryKey: ["id"]
})

/** The statement a call makes, and what the call answers when the database answers so. */
const translate = <A>(call: (transaction: Transaction) => Effect.Effect<A, unknown>, rows: Answer["rows"] = []) => {
  const statements: Array<Statement> = []
  const transaction = makeTransaction((statement) => {
    statements.push(statement)
    return Effect.succeed({ rows, count: rows.length })
  })
  const answer = Effect.runSync(Effect.orDie(call(transaction)))
  assert.strictEqual(statements.length, 1, "one call is one statement")
  return { statement: statements[0]!, answer }
}

describe("a call is one statement", () => {
  it("get asks for the primary key, and knows nothing from something", () => {
    const { statement, answer } = translate((t) => t.get(jobs, { id: "a" }, { lock: "for share" }))
    assert.deepStrictEqual(statement, {
      _tag: "Select",
      table: "jobs",
      where: and(eq(jobs.row.id, "a")),
      orderBy: [],
      limit: undefined,
      lock: "for share",
      skipLocked: false
    })
    assert.isUndefined(answer)
  })

  it("select orders ascending unless told, and meets every row unless told", () => {
    const { statement } = translate((t) =>
      t.select(jobs, { orderBy: ["attempts", { column: "id", direction: "desc" }], limit: 3 })
    )
    assert.deepStrictEqual(statement, {
      _tag: "Select",
      table: "jobs",
      where: and(),
      orderBy: [
        { column: "attempts", direction: "asc" },
        { column: "id", direction: "desc" }
      ],
      limit: 3,
      lock: undefined,
      skipLocked: false
    })
  })

  it("count answers a number", () => {
    const { answer } = translate((t) => t.count(jobs, (row) => isIn(row.id, ["a", "b"])), [{}, {}, {}])
    assert.strictEqual(answer, 3)
  })

  it("update computes with columns, and leaves out what is undefined", () => {
    const { statement } = translate((t) =>
      t.update(jobs, {
        where: (row) => or(eq(row.id, "a")),
        set: (row) => ({ attempts: add(row.attempts, 1), body: undefined })
      })
    )
    assert.deepStrictEqual(statement._tag === "Update" && statement.set, { attempts: add(jobs.row.attempts, value(1)) })
  })

  it("on conflict refers to the existing and the proposed row", () => {
    const { statement } = translate((t) =>
      t.insert(
        jobs,
        { id: "a", attempts: 1, due: null, body: 0 },
        {
          onConflict: {
            target: ["id"],
            action: "update",
            set: (existing, excluded) => ({ attempts: add(existing.attempts, excluded.attempts) })
          }
        }
      )
    )
    assert.deepStrictEqual(statement._tag === "Insert" && statement.onConflict, {
      _tag: "Update",
      target: ["id"],
      set: { attempts: add(jobs.row.attempts, jobs.excluded.attempts) },
      where: and()
    })
  })
})

describe("documents", () => {
  const due = new Date(Date.UTC(2026, 0, 1))

  it("are stored encoded and answered decoded; null is null", () => {
    const stored = { id: "a", attempts: 1, due: due.toISOString(), body: { list: [1] } }
    const { statement, answer } = translate(
      (t) => t.insert(jobs, { id: "a", attempts: 1, due, body: { list: [1] } }),
      [stored, { ...stored, due: null }]
    )
    assert.deepStrictEqual(statement._tag === "Insert" && statement.rows[0]!["due"], value(due.toISOString()))
    assert.deepStrictEqual(
      answer.map((row) => row.due),
      [due, null]
    )
  })

  it("that look like an expression are documents; an expression is what the constructors made", () => {
    const { statement } = translate((t) =>
      t.update(jobs, {
        where: (row) => eq(row.id, "a"),
        set: () => ({ body: { _tag: "Now" } as unknown, attempts: now })
      })
    )
    assert.deepStrictEqual(statement._tag === "Update" && statement.set, {
      body: value({ _tag: "Now" }),
      attempts: now
    })
  })

  it("that do not fit their schema are a defect, going in and coming out", () => {
    const broken = { id: "a", attempts: 1, due: 5, body: 0 }
    assert.throws(() => translate((t) => t.get(jobs, { id: "a" }), [broken]))
    assert.throws(() => translate((t) => t.insert(jobs, broken as never)))
  })
})

describe("a table", () => {
  it("names its constraints after their columns, and refuses columns that it does not have", () => {
    const table = make("t", {
      columns: { a: text, b: text },
      primaryKey: ["a"],
      unique: [["b", "a"]],
      indexes: [["b"]],
      checks: { differ: (row) => eq(row.a, row.b) }
    })
    assert.deepStrictEqual(
      [...table.unique, ...table.indexes, ...table.checks].map(({ name }) => name),
      ["t_key_b_a", "t_idx_b", "t_differ"]
    )
    assert.throws(() => make("t", { columns: { a: text }, primaryKey: ["z" as never] }), /no column z/)
  })
})
