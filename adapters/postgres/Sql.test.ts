/** One call, one statement: what is said to Postgres. That it means what the port says is for the contract suite. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import {
  type Condition,
  add,
  and,
  clockTimestamp,
  eq,
  gt,
  isIn,
  isNull,
  le,
  lt,
  not,
  now,
  or,
  subtract,
  value,
  type Expression
} from "../../core/ports/Condition.ts"
import { type Fence, type Statement, leases } from "../../core/ports/Storage.ts"
import {
  type Table,
  boolean,
  integer,
  json,
  literals,
  make,
  nullable,
  text,
  timestamp
} from "../../core/ports/Table.ts"
import { createTable } from "./Schema.ts"
import { literal, toSql } from "./Sql.ts"

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
  unique: [["state", "tries"]],
  indexes: [["dueAt"]],
  checks: { triesAreFew: (row) => le(row.tries, 9) }
})

const tables = new Map<string, Table<unknown>>([jobs, leases].map((table) => [table.name, table]))

const select = (where: Condition, rest: Partial<Extract<Statement, { _tag: "Select" }>> = {}): Statement => ({
  _tag: "Select",
  table: "jobs",
  where,
  orderBy: [],
  limit: undefined,
  lock: undefined,
  skipLocked: false,
  ...rest
})

/** What stands after `where`, with the values in their places. */
const where = (condition: Condition): string => {
  const { parameters, text } = toSql(select(condition), tables)
  const inline = text.replaceAll(/\$(\d+)/g, (_, nth: string) => {
    const { isArray, kind, value } = parameters[Number(nth) - 1]!
    return literal(kind, value, isArray)
  })
  return inline.slice(inline.indexOf(" where ") + " where ".length)
}

const { row } = jobs

describe("a condition", () => {
  const cases: ReadonlyArray<readonly [string, Condition, string]> = [
    ["of a column and a value", eq(row.id, "a'b"), `"jobs"."id" = 'a''b'`],
    ["of nothing is true", or(and(), eq(row.open, true)), `(true or "jobs"."open" = true)`],
    ["of no alternatives is false", or(), "false"],
    ["negated", not(isNull(row.dueAt)), `not ("jobs"."dueAt" is null)`],
    ["on a list is one array", isIn(row.state, ["new"]), `"jobs"."state" = any(array['new']::text[])`],
    ["on an empty list", isIn(row.tries, []), `"jobs"."tries" = any(array[]::bigint[])`],
    ["with null", eq(row.dueAt, null), `"jobs"."dueAt" = null::timestamptz`],
    [
      "on a time leaves the column as it is, so that its index is used",
      lt(row.dueAt, add(now, 1)),
      `"jobs"."dueAt" < (now() + 1::bigint * interval '1 microsecond')`
    ],
    [
      "on a time and a plain number, exact to the microsecond",
      gt(row.dueAt, 1_700_000_000_000_001),
      `"jobs"."dueAt" > timestamptz '2023-11-14T22:13:20.000001Z'`
    ],
    ["on a time before 1970", gt(row.dueAt, -1), `"jobs"."dueAt" > timestamptz '1969-12-31T23:59:59.999999Z'`],
    [
      "on the distance of two times, a number",
      gt(subtract(clockTimestamp, now), row.tries),
      `((extract(epoch from statement_timestamp()) * 1000000)::bigint - ` +
        `(extract(epoch from now()) * 1000000)::bigint) > "jobs"."tries"`
    ],
    [
      "on a time and a column of numbers",
      eq(row.dueAt, row.tries),
      `"jobs"."dueAt" = (timestamptz 'epoch' + "jobs"."tries" * interval '1 microsecond')`
    ],
    ["on two values is ordered by code point", lt(value("a"), "B"), `'a' < 'B' collate "C"`]
  ]
  for (const [title, condition, expected] of cases) {
    it(title, () => assert.strictEqual(where(condition), expected))
  }

  it("is text that does not depend on its values, so that each form is prepared once", () => {
    const form = (id: string, tries: ReadonlyArray<number>, due: number, limit: number) =>
      toSql(select(and(eq(row.id, id), isIn(row.tries, tries), lt(row.dueAt, due)), { limit, orderBy: [] }), tables)
        .text
    const plain = form("", [], 0, 0)
    const micros = fc.maxSafeInteger()
    fc.assert(
      fc.property(fc.string(), fc.array(micros), micros, fc.nat(), (id, tries, due, limit) => {
        if (!id.includes("\u0000")) assert.strictEqual(form(id, tries, due, limit), plain)
      })
    )
  })
})

describe("a statement", () => {
  it("selects in order, to a limit, and locks", () => {
    const statement = select(and(), {
      orderBy: [
        { column: "dueAt", direction: "desc" },
        { column: "id", direction: "asc" }
      ],
      limit: 2,
      lock: "for update",
      skipLocked: true
    })
    const { parameters, text } = toSql(statement, tables)
    const columns = `"id", "state", "tries", "dueAt", "open", "body"`
    assert.strictEqual(
      text,
      `select ${columns} from "jobs" order by "dueAt" desc, "id" asc limit $1 for update skip locked`
    )
    assert.deepStrictEqual(parameters, [{ kind: "integer", value: 2, isArray: false }])
  })

  it("carries its fences before everything else that it does, whatever it is", () => {
    const set = { tries: value(1) }
    const row = { id: value("a"), state: value("new"), tries: value(0), open: value(true) }
    const statements: ReadonlyArray<Statement> = [
      select(eq(jobs.row.id, "a")),
      { _tag: "Count", table: "jobs", where: and() },
      { _tag: "Update", table: "jobs", where: and(), set },
      { _tag: "Delete", table: "jobs", where: eq(jobs.row.id, "a") },
      { _tag: "Insert", table: "jobs", rows: [row], onConflict: undefined },
      { _tag: "Insert", table: "jobs", rows: [], onConflict: undefined }
    ]
    for (const statement of statements) {
      const { text } = toSql(statement, tables, [{ lease: "l", epoch: 7 }])
      assert.match(text, /^with answer as (materialized )?\(.*\) select \* from answer where \(select coalesce\(.*\)$/)
    }
  })

  // covers A18
  it("takes over by one upsert", () => {
    const statement: Statement = {
      _tag: "Insert",
      table: "leases",
      rows: [{ key: value("k"), epoch: value(1), acquiredAt: now }],
      onConflict: {
        _tag: "Update",
        target: ["key"],
        set: { epoch: add(leases.row.epoch, 1), holder: leases.excluded.holder },
        where: lt(leases.row.expiresAt, now)
      }
    }
    assert.strictEqual(
      toSql(statement, tables).text,
      `insert into "leases" ("key", "holder", "epoch", "acquiredAt", "renewedAt", "expiresAt", "releasedAt") ` +
        `values ($1, $2, $3, now(), $4, $5, $6) on conflict ("key") do update ` +
        `set "epoch" = ("leases"."epoch" + $7), "holder" = excluded."holder" where "leases"."expiresAt" < now() ` +
        `returning "key", "holder", "epoch", "acquiredAt", "renewedAt", "expiresAt", "releasedAt"`
    )
  })

  // covers A21
  it("tells of a release as it commits, and of no other update of a lease", () => {
    const update = (releasedAt: Expression<number | null>): Statement => ({
      _tag: "Update",
      table: "leases",
      where: and(eq(leases.row.key, "k")),
      set: { releasedAt }
    })
    const told = `with answer as (update "leases" set "releasedAt" = clock_timestamp() where "leases"."key" = $1 returning `
    const { text } = toSql(update(clockTimestamp), tables)
    assert.isTrue(text.startsWith(told), text)
    assert.isTrue(
      text.endsWith(
        ` select * from answer where (select pg_notify('stormglass_changes', 'changes released') is not null)`
      ),
      text
    )
    assert.notInclude(toSql(update(value(null)), tables).text, "pg_notify")
  })

  it("sends a number that no column takes as one that the column's check refuses", () => {
    const set = (tries: number) =>
      toSql({ _tag: "Update", table: "jobs", where: and(), set: { tries: value(tries) } }, tables).parameters[0]!.value
    assert.deepStrictEqual([2 ** 53, 1e300, Infinity, -Infinity].map(set), [2 ** 53, 2 ** 53, 2 ** 53, -(2 ** 53)])
    assert.strictEqual(set(2 ** 53 - 1), 2 ** 53 - 1)
  })
})

describe("what is wrong whatever the data", () => {
  const update = (set: Record<string, unknown>): Statement => ({
    _tag: "Update",
    table: "jobs",
    where: and(),
    set: Object.fromEntries(Object.entries(set).map(([key, of]) => [key, value(of)]))
  })
  const upsert = (...target: ReadonlyArray<string>): Statement => ({
    _tag: "Insert",
    table: "jobs",
    rows: [{ id: value("a") }],
    onConflict: { _tag: "Update", target, set: {}, where: and() }
  })
  const fence = (...fences: ReadonlyArray<Fence>): Statement => ({ _tag: "Fence", fences })
  const cases: ReadonlyArray<readonly [string, Statement]> = [
    ["jobs: integer cannot be compared with text", select(eq(row.tries as never, "1"))],
    ["jobs: text cannot be compared with integer", select(isIn(row.id as never, [1]))],
    ["jobs: json cannot be compared", select(eq(row.body, { a: 1 }))],
    ["jobs: 0.5 in a condition is not an integer within ±(2^53 - 1)", select(eq(row.tries, 0.5))],
    ["jobs, in a condition: text is valid Unicode without NUL", select(eq(row.id, "a\u0000"))],
    ["jobs: no excluded to take columns from here", select(eq(row.id, jobs.excluded.id))],
    ["jobs: no column nope", select(and(), { orderBy: [{ column: "nope", direction: "asc" }] })],
    ["jobs: limit -1", select(and(), { limit: -1 })],
    ["no table nope", { _tag: "Count", table: "nope", where: and() }],
    ["jobs.tries is integer, not string 1", update({ tries: "1" })],
    ["jobs.tries is integer, not number NaN", update({ tries: Number.NaN })],
    ["jobs.open is boolean, not number 1", update({ open: 1 })],
    ["jobs.id: text is valid Unicode without NUL", update({ id: "\uD800" })],
    ["jobs.body: text is valid Unicode without NUL", update({ body: { "a\u0000": 1 } })],
    ["jobs.body: not a json document", update({ body: { a: 1n } })],
    ["jobs: no column toString", update({ toString: 1 })],
    ["jobs.body: json has no order", select(and(), { orderBy: [{ column: "body", direction: "asc" }] })],
    ["jobs: no unique constraint on (tries)", upsert("tries")],
    ["jobs: no unique constraint on ()", upsert()],
    ["leases, in a condition: text is valid Unicode without NUL", fence({ lease: "\u0000", epoch: 1 })],
    ["leases: 0.5 in a condition is not an integer within ±(2^53 - 1)", fence({ lease: "a", epoch: 0.5 })],
    [
      "jobs: 32772 values in one statement, at most 32767 are sent: divide it",
      { _tag: "Insert", table: "jobs", rows: Array.from({ length: 5_462 }, () => ({})), onConflict: undefined }
    ]
  ]
  for (const [message, statement] of cases) {
    it(message, () => assert.throws(() => toSql(statement, tables), message))
  }
})

describe("a table", () => {
  it("is created with its keys, word lists, ranges and checks by name", () => {
    assert.deepStrictEqual(createTable(jobs), [
      `create table "jobs" (
  "id" text collate "C" not null,
  "state" text collate "C" not null,
  "tries" bigint not null,
  "dueAt" timestamptz,
  "open" boolean not null,
  "body" jsonb,
  constraint "jobs_pkey" primary key ("id"),
  constraint "jobs_key_state_tries" unique ("state", "tries")
)`,
      `create or replace function "stormglass_check_jobs"("jobs" "jobs") returns boolean immutable language plpgsql as $check$
declare
  violated constant text := case
    when not ("jobs"."dueAt" between timestamptz '1684-07-28T00:12:25.259009Z' and timestamptz '2255-06-05T23:47:34.740991Z') then 'jobs_dueAt_range'
    when not ("jobs"."state" = any (array['new', 'done']::text[])) then 'jobs_state_check'
    when not ("jobs"."tries" <= 9::bigint) then 'jobs_triesAreFew'
    when not ("jobs"."tries" between -9007199254740991::bigint and 9007199254740991::bigint) then 'jobs_tries_range'
  end;
begin
  if violated is null then return true; end if;
  raise exception 'a row of % violates %', 'jobs', violated
    using errcode = 'check_violation', table = 'jobs', constraint = violated;
end $check$`,
      `alter table "jobs" add constraint stormglass_check check ("stormglass_check_jobs"("jobs".*))`,
      `create index "jobs_idx_dueAt" on "jobs" ("dueAt")`
    ])
  })

  it("with a name that Postgres would cut off is refused", () => {
    const long = "n".repeat(60)
    const table = make("t", { columns: { id: text, [long]: text }, primaryKey: ["id"], indexes: [[long]] })
    assert.throws(() => createTable(table), /longer than the 63 bytes/)
  })
})
