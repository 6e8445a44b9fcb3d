/** What is refused whatever the data, in words, and with how many values what is not refused is sent. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import {
  type Condition,
  add,
  always,
  and,
  clockTimestamp,
  column,
  eq,
  gt,
  isIn,
  isNotNull,
  isNull,
  multiply,
  not,
  now,
  or,
  value
} from "../ports/Condition.ts"
import { type Assignments, type Fence, type OnConflict, type Statement, leases } from "../ports/Storage.ts"
import { type Table, boolean, integer, json, literals, make, nullable, text, timestamp } from "../ports/Table.ts"
import { type Plain, checkCondition, checkStatement, isRead, parametersMax } from "./checkStatement.ts"

const jobs = make("jobs", {
  columns: {
    id: text,
    state: literals("new", "done"),
    tries: integer,
    dueAt: nullable(timestamp),
    open: boolean,
    body: nullable(json(Schema.Unknown))
  },
  primaryKey: ["id"],
  unique: [["state", "tries"], ["dueAt"]]
})
const { excluded, row } = jobs
const find = (name: string): Table<unknown> | undefined => (name === "jobs" ? (jobs as Table<unknown>) : undefined)

/** How many values it is sent with, or what is wrong with it. */
const told = (statement: Statement, gate?: ReadonlyArray<Fence>): number | string => {
  try {
    return checkStatement(statement, find, gate).parameters
  } catch (error) {
    assert.strictEqual((error as Error).constructor.name, "StatementDefect")
    return (error as Error).message
  }
}

const select = (where: Condition, rest: Partial<Extract<Statement, { _tag: "Select" }>> = {}): Plain => ({
  _tag: "Select",
  table: "jobs",
  where,
  orderBy: [],
  limit: undefined,
  lock: undefined,
  skipLocked: false,
  ...rest
})
const count = (where: Condition): Plain => ({ _tag: "Count", table: "jobs", where })
const remove = (where: Condition): Plain => ({ _tag: "Delete", table: "jobs", where })
const update = (set: Assignments, where: Condition = always): Plain => ({ _tag: "Update", table: "jobs", set, where })
const insert = (rows: ReadonlyArray<Assignments>, onConflict?: OnConflict): Plain => ({
  _tag: "Insert",
  table: "jobs",
  rows,
  onConflict
})
const nothing = (...target: ReadonlyArray<string>): OnConflict => ({ _tag: "Nothing", target })
const replace = (target: ReadonlyArray<string>, set: Assignments, where: Condition = always): OnConflict => ({
  _tag: "Update",
  target,
  set,
  where
})
const asc = (name: string) => ({ orderBy: [{ column: name, direction: "asc" as const }] })

const isA = eq(row.id, "a")
const wrong = eq(row.id, 5 as never)
const one = { id: value("a"), tries: value(1) }
const fences = [
  { lease: "leader", epoch: 1 },
  { lease: "buckets/1", epoch: 2 }
]

const wrongText = "jobs: text cannot be compared with integer"

describe("a statement", () => {
  for (const [what, statement, expected] of [
    ["on a table that is not there", { ...count(always), table: "ghosts" } as Plain, "no table ghosts"],
    ["select of everything", select(always), 0],
    ["select by a value", select(isA), 1],
    ["select of at most so many", select(isA, { limit: 3 }), 2],
    ["select of fewer than none", select(always, { limit: -1 }), "jobs: limit -1"],
    ["select in an order", select(always, asc("dueAt")), 0],
    ["select in the order of a document", select(always, asc("body")), "jobs.body: json has no order"],
    ["select in the order of what is not there", select(always, asc("size")), "jobs: no column size"],
    ["select by what cannot be compared", select(wrong), wrongText],
    ["count", count(isA), 1],
    ["count by what cannot be compared", count(wrong), wrongText],
    ["delete", remove(isA), 1],
    ["delete by what cannot be compared", remove(wrong), wrongText],

    ["update", update({ tries: value(1), open: value(true) }, isA), 3],
    ["update of a column that is not mentioned after all", update({ tries: undefined } as never, isA), 1],
    [
      "update of what is not there, whatever else is wrong",
      update({ id: value(5), size: value(1) }),
      "jobs: no column size"
    ],
    ["update to another kind of value", update({ id: value(5) }), "jobs.id is text, not number 5"],
    ["update to another kind of column", update({ id: row.tries }), "jobs.id is text, not integer"],
    ["update of a text to another", update({ id: row.state }), 0],
    ["update of a number to a time", update({ tries: row.dueAt }), 0],
    ["update of a time to a number and more", update({ dueAt: add(row.tries, 1) }), 1],
    ["update of a time to a truth", update({ dueAt: row.open }), "jobs.dueAt is timestamp, not boolean"],
    ["update of a truth to a time", update({ open: row.dueAt }), "jobs.open is boolean, not timestamp"],
    ["update to the clock's time", update({ dueAt: clockTimestamp }), 0],
    ["update to the transaction's time", update({ dueAt: now }), 0],
    ["update by what cannot be compared", update({ tries: value(1) }, wrong), wrongText],

    ["insert of nothing", insert([]), 0],
    ["insert of nothing, whatever may be met", insert([], nothing("size")), 0],
    ["insert of a row: its other columns count too", insert([one]), 6],
    ["insert of two rows", insert([one, { ...one, dueAt: clockTimestamp }]), 11],
    ["insert into what is not there", insert([{ ...one, size: value(1) }]), "jobs: no column size"],
    ["insert of another kind of value", insert([one, { id: value(true) }]), "jobs.id is text, not boolean true"],
    ["insert from a row, of which there is none", insert([{ id: row.id }]), "jobs: no row to take columns from here"],
    [
      "insert from the proposed row itself",
      insert([{ id: excluded.id }]),
      "jobs: no excluded to take columns from here"
    ],

    ["insert unless it meets anything", insert([one], nothing()), 6],
    ["insert unless it meets the key", insert([one], nothing("id")), 6],
    ["insert unless it meets a unique pair, in whatever order", insert([one], nothing("tries", "state")), 6],
    ["insert unless it meets half a pair", insert([one], nothing("state")), "jobs: no unique constraint on (state)"],
    [
      "insert unless it meets more than the key",
      insert([one], nothing("id", "tries")),
      "jobs: no unique constraint on (id, tries)"
    ],
    [
      "insert unless it meets a pair of others",
      insert([one], nothing("state", "open")),
      "jobs: no unique constraint on (state, open)"
    ],
    ["insert unless it meets what is not there", insert([one], nothing("size")), "jobs: no column size"],
    ["insert or update of whatever it meets", insert([one], replace([], one)), "jobs: no unique constraint on ()"],
    [
      "insert or update",
      insert([one], replace(["id"], { tries: add(row.tries, excluded.tries) }, gt(row.tries, excluded.tries))),
      6
    ],
    [
      "insert or update to what is not there",
      insert([one], replace(["id"], { size: value(1) })),
      "jobs: no column size"
    ],
    [
      "insert or update by what cannot be compared",
      insert([one], replace(["id"], { tries: value(1) }, wrong)),
      wrongText
    ],
    [
      "update from a proposed row, of which there is none",
      update({ tries: excluded.tries }),
      "jobs: no excluded to take columns from here"
    ]
  ] as ReadonlyArray<readonly [string, Statement, number | string]>) {
    it(`${what}: ${expected}`, () => assert.strictEqual(told(statement), expected))
  }

  it("that holds more values than one message is refused, and not one that holds as many", () => {
    const many = (length: number) => select(or(...Array.from({ length }, () => isA)))
    assert.strictEqual(told(many(parametersMax)), 32_767)
    assert.strictEqual(
      told(many(parametersMax + 1)),
      "jobs: 32768 values in one statement, at most 32767 are sent: divide it"
    )
  })

  it("reads unless it changes something; an insert of nothing changes nothing", () => {
    const statements = [select(always), count(always), insert([]), insert([one]), update({}), remove(always)]
    assert.deepStrictEqual(statements.map(isRead), [true, true, true, false, false, false])
  })

  it("carries two values for each of its fences, and one more when it writes", () => {
    assert.strictEqual(told(select(isA), fences), 1 + 4)
    assert.strictEqual(told(insert([]), fences.slice(1)), 2)
    assert.strictEqual(told(remove(isA), fences), 1 + 4 + 1)
    assert.strictEqual(told(remove(isA), []), 1)
  })

  it("changes and removes nothing of a table that is append-only, and adds to it", () => {
    const log = make("log", { columns: { id: text }, primaryKey: ["id"], isAppendOnly: true })
    const check = (statement: Statement) => checkStatement(statement, () => log as Table<unknown>)
    const rows = [{ id: value("a") }]
    const onConflict = { _tag: "Update", target: ["id"], set: { id: value("b") }, where: always } as const
    check({ _tag: "Insert", table: "log", rows, onConflict: undefined })
    for (const statement of [
      { _tag: "Insert", table: "log", rows, onConflict },
      { _tag: "Update", table: "log", set: { id: value("b") }, where: always },
      { _tag: "Delete", table: "log", where: always }
    ] as const) {
      assert.throws(() => check(statement), /log is append-only/)
    }
  })

  it("is refused with a fence that is none, alone or around another", () => {
    const [lease, epoch] = [[{ lease: 5 as never, epoch: 1 }], [{ lease: "leader", epoch: "1" as never }]]
    for (const [bad, text] of [
      [lease, "leases: text cannot be compared with integer"],
      [epoch, "leases: integer cannot be compared with text"]
    ] as const) {
      assert.strictEqual(told({ _tag: "Fence", fences: bad }), text)
      assert.strictEqual(told(select(always), bad), text)
    }
    assert.strictEqual(told({ _tag: "Fence", fences }), 2)
    assert.strictEqual(checkStatement({ _tag: "Fence", fences }, find).table, leases)
  })
})

describe("a condition", () => {
  const text = (condition: Condition): number | string => told(select(condition))
  const ghost = column<never>("size")

  for (const [what, condition, expected] of [
    ["of a column and a value", isA, 1],
    ["of a value and a column", eq(value<string>("a"), row.id), 1],
    ["of two columns", eq(row.id, row.state), 0],
    ["of a time and a number, which is one", gt(row.dueAt, 5), 1],
    ["of a time and a text", eq(row.dueAt, "a" as never), "jobs: timestamp cannot be compared with text"],
    ["of a document", eq(row.body, row.body), "jobs: json cannot be compared"],
    ["of what is not there", eq(ghost, 1 as never), "jobs: no column size"],
    ["of a value and what is not there", eq(value(1), ghost), "jobs: no column size"],
    ["of a proposed row", eq(row.id, excluded.id), "jobs: no excluded to take columns from here"],
    ["and another", and(isA, isA), 2],
    ["and one that is wrong", and(isA, wrong), wrongText],
    ["or one that is wrong", or(wrong, isA), wrongText],
    ["that is not", not(isA), 1],
    ["that is not, and is wrong", not(wrong), wrongText],
    ["in a list: the list is one value", isIn(row.id, ["a", "b", "c"]), 1],
    ["in no list", isIn(row.id, []), 1],
    ["in a list of another kind", isIn(row.id, ["a", 5 as never]), wrongText],
    ["of a value in a list", isIn(value("a"), ["a"]), 2],
    ["of a number in a list of texts", isIn(value<unknown>(5), ["a"]), "jobs: integer cannot be compared with text"],
    ["of nothing in a list of numbers", isIn(value<unknown>(null), [null, 1]), 2],
    ["of what is not there in a list", isIn(ghost, []), "jobs: no column size"],
    ["that is null", isNull(row.dueAt), 0],
    ["that is not null", isNotNull(row.dueAt), 0],
    ["that is null, of what is not there", isNull(ghost), "jobs: no column size"],
    ["of a sum", gt(add(row.tries, 1), 2), 2],
    ["of a text in a sum", gt(add(row.id as never, 1), 2), "jobs: text in arithmetic"],
    ["of a text at the end of a sum", gt(add(row.tries, row.id as never), 2), "jobs: text in arithmetic"],
    ["of a product", gt(multiply(row.tries, 2), 2), 2],
    ["of nothing and a number in a sum", gt(add(value<never>(null as never), 1), 2), 3],
    ["of a number and nothing in a sum", gt(add(row.tries, null as never), 2), 2],
    ["of a fraction", eq(row.tries, 1.5), "jobs: 1.5 in a condition is not an integer within ±(2^53 - 1)"],
    ["of a text that no database holds", eq(row.id, "\0"), "jobs, in a condition: text is valid Unicode without NUL"]
  ] as ReadonlyArray<readonly [string, Condition, number | string]>) {
    it(`${what}: ${expected}`, () => assert.strictEqual(text(condition), expected))
  }

  it("is checked on its own as in a statement", () => {
    assert.throws(() => checkCondition(wrong, jobs as Table<unknown>), wrongText)
    assert.throws(() => checkCondition(eq(row.id, excluded.id), jobs as Table<unknown>), "no excluded")
    assert.isUndefined(checkCondition(isA, jobs as Table<unknown>))
  })
})
