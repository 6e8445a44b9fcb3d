/**
 * The laws of the storage port, for every implementation of it: the model, real Postgres, and Postgres in the process.
 *
 * A law is a program over `Storage`, on tables that are empty when it begins. It waits for what it needs by signals
 * between its fibers, never by the clock, so that it runs under virtual time as well.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import {
  type Condition,
  add,
  and,
  clockTimestamp,
  column,
  eq,
  ge,
  gt,
  isIn,
  isNotNull,
  isNull,
  le,
  lt,
  multiply,
  ne,
  not,
  now,
  or,
  subtract,
  value
} from "../../core/ports/Condition.ts"
import {
  type Fence,
  type Isolation,
  type Reason,
  type RowLock,
  Storage,
  StorageError,
  type Transaction,
  leases
} from "../../core/ports/Storage.ts"
import {
  type RowOf,
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

/** One column of every kind, each of which may be null. */
const things = make("things", {
  columns: {
    id: integer,
    text: nullable(text),
    integer: nullable(integer),
    boolean: nullable(boolean),
    timestamp: nullable(timestamp),
    json: nullable(json(Schema.Unknown))
  },
  primaryKey: ["id"]
})

/** One rule of every kind. */
const rules = make("rules", {
  columns: { id: integer, name: text, word: literals("one", "two"), amount: integer, at: timestamp },
  primaryKey: ["id"],
  unique: [["name", "word"]],
  checks: { amountIsSmall: (row) => le(row.amount, 100) }
})

/** Of tenants, named by a column, or by what stands before the first "/". */
const goods = make("goods", {
  columns: { id: text, project: text, amount: integer },
  primaryKey: ["id"],
  tenant: "project"
})
const paths = make("paths", {
  columns: { id: text, amount: integer },
  primaryKey: ["id"],
  tenant: { prefixOf: "id" }
})

export const tables = [things, rules, leases, goods, paths] as unknown as ReadonlyArray<Table<unknown>>

type Program = Effect.Effect<void, unknown, Storage>

/** The laws of timeouts run with those of `core/Limits.ts`, all others with such that no busy machine runs into. */
export type Patience = "short" | "long"

/**
 * Declares the suite. `run` empties the tables, then runs the program with a storage over them. `exceptions` are the laws
 * that the implementation cannot be asked, each with its reason.
 */
export const storageContract = (
  implementation: string,
  run: (program: Program, patience: Patience) => Effect.Effect<void, unknown>,
  exceptions: Readonly<Record<string, string>> = {}
): void => {
  // covers A31
  describe(`the storage port on ${implementation}`, () => {
    for (const [group, laws] of Object.entries(groups)) {
      describe(group, () => {
        for (const [law, program] of Object.entries(laws)) {
          it.live.skipIf(Object.hasOwn(exceptions, law))(law, () => run(program, group === "limits" ? "short" : "long"))
        }
      })
    }
    it("is excepted from nothing that is no law", () => {
      const laws = Object.values(groups).flatMap((laws) => Object.keys(laws))
      assert.deepStrictEqual(
        Object.keys(exceptions).filter((exception) => !laws.includes(exception)),
        []
      )
    })
  })
}

type Thing = RowOf<typeof things>
type Rule = RowOf<typeof rules>

const noThing = { text: null, integer: null, boolean: null, timestamp: null, json: null } as const
const rule: Rule = { id: 1, name: "a", word: "one", amount: 1, at: 0 }

const once = <A>(
  call: (t: Transaction) => Effect.Effect<A, StorageError>,
  fences: ReadonlyArray<Fence> = [],
  project?: string
): Effect.Effect<A, StorageError, Storage> =>
  Effect.flatMap(Storage, (it) => it.once(call, { label: "law", fences, project }))

const transact = <A, E, R>(
  body: (t: Transaction) => Effect.Effect<A, E, R>,
  options: { readonly isolation?: Isolation; readonly fences?: ReadonlyArray<Fence>; readonly project?: string } = {}
): Effect.Effect<A, E | StorageError, R | Storage> =>
  Effect.flatMap(Storage, (it) => it.transaction(body, { label: "law", ...options }))

const reasonOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Reason, never, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return Effect.die(new Error(`succeeded with ${JSON.stringify(exit.value)}`))
    const failure = exit.cause.reasons.find((reason) => reason._tag === "Fail")
    return failure !== undefined && failure.error instanceof StorageError
      ? Effect.succeed(failure.error.reason)
      : Effect.failCause(exit.cause as never)
  })

const dies = <A, E, R>(effect: Effect.Effect<A, E, R>, title = ""): Effect.Effect<void, never, R> =>
  Effect.map(Effect.exit(effect), (exit) => {
    const hasDied = Exit.isFailure(exit) && exit.cause.reasons.some(({ _tag }) => _tag === "Die")
    assert.isTrue(hasDied, `${title} ${JSON.stringify(exit)}`)
  })

/** Ids, in order. */
const idsWhere = (where: (row: typeof things.row) => Condition) =>
  Effect.map(
    once((t) => t.select(things, { where, orderBy: ["id"] })),
    (rows) => rows.map(({ id }) => id)
  )

const insertThings = (rows: ReadonlyArray<Partial<Thing>>) =>
  once((t) =>
    t.insert(
      things,
      rows.map((row, index) => ({ ...noThing, id: index + 1, ...row }))
    )
  )

const lease = (epoch: number) => ({
  key: "k",
  holder: `holder ${epoch}`,
  epoch,
  acquiredAt: now,
  renewedAt: now,
  expiresAt: add(now, 1_000_000),
  releasedAt: null
})

/** A transaction that has done `first` and holds what that locked until it is told to go on. */
const held = <A>(first: (t: Transaction) => Effect.Effect<A, StorageError>, end: "commit" | "roll back" = "commit") =>
  Effect.gen(function* () {
    const isHolding = yield* Deferred.make<void>()
    const mayEnd = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(
      Effect.exit(
        transact((t) =>
          first(t).pipe(
            Effect.andThen(Deferred.succeed(isHolding, undefined)),
            Effect.andThen(Deferred.await(mayEnd)),
            Effect.andThen(end === "commit" ? Effect.void : Effect.fail("rolled back"))
          )
        )
      )
    )
    yield* Deferred.await(isHolding)
    return { end: Effect.andThen(Deferred.succeed(mayEnd, undefined), Fiber.join(fiber)) }
  })

/** Runs `other` while `holder` holds, which ends once `other` has had time to run into it. */
const against = <A, E, R>(holder: { readonly end: Effect.Effect<unknown> }, other: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(other))
    yield* Effect.sleep("100 millis")
    const waited = fiber.pollUnsafe() === undefined
    yield* holder.end
    return { waited, exit: yield* Fiber.join(fiber) }
  })

const succeeded = <A, E>({ exit }: { readonly exit: Exit.Exit<A, E> }): Effect.Effect<A, E> => exit

const roundTrips: ReadonlyArray<Partial<Thing>> = [
  {},
  ...["", "a", "'\"\\$1 %", "line\nline\t\r", "ünï 𝒳 \u{10FFFF} e\u0301 \u00e9", "x".repeat(300_000)].map((text) => ({
    text
  })),
  ...[0, 1, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER].map((integer) => ({ integer })),
  { boolean: true },
  { boolean: false },
  ...[0, 1, -1, 999_999, 1_763_722_800_123_457, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER].map((timestamp) => ({
    timestamp
  })),
  ...[
    true,
    "",
    "ünï 𝒳",
    0,
    0.1,
    -1e-7,
    1e21,
    5e-324,
    1.7976931348623157e308,
    2 ** 53 + 2,
    [],
    {},
    [null, [1, "2"], { a: { b: null }, "": 0, "ü'\"\\": [] }],
    { text: "y".repeat(100_000) }
  ].map((json) => ({ json }))
]

const kinds: Readonly<Record<string, Program>> = {
  "every value comes back as it was written": Effect.gen(function* () {
    const rows = roundTrips.map((row, index) => ({ ...noThing, id: index + 1, ...row }))
    assert.deepStrictEqual(yield* insertThings(roundTrips), rows)
    assert.deepStrictEqual(yield* once((t) => t.select(things, { orderBy: ["id"] })), rows)
    for (const row of rows) assert.deepStrictEqual(yield* once((t) => t.get(things, { id: row.id })), row)
  }),

  "and by an update as well": Effect.gen(function* () {
    yield* insertThings([{}])
    for (const row of roundTrips) {
      const wanted = { ...noThing, id: 1, ...row }
      const updated = yield* once((t) => t.update(things, { where: (it) => eq(it.id, 1), set: () => wanted }))
      assert.deepStrictEqual(updated, [wanted])
      assert.deepStrictEqual(yield* once((t) => t.get(things, { id: 1 })), wanted)
    }
  }),

  "minus zero is zero": Effect.gen(function* () {
    const [row] = yield* insertThings([{ integer: -0, timestamp: -0, json: [-0] }])
    const { integer, json, timestamp } = row!
    for (const zero of [integer, timestamp, (json as ReadonlyArray<unknown>)[0]]) assert.isTrue(Object.is(zero, 0))
  }),

  "text with NUL or half a character is a defect, in a column and in a document": Effect.gen(function* () {
    yield* dies(insertThings([{ text: "a\u0000b" }]))
    yield* dies(insertThings([{ text: "\uD800" }]))
    yield* dies(insertThings([{ json: ["a\u0000b"] }]))
    yield* dies(insertThings([{ json: { a: "\uDC00" } }]))
    yield* dies(insertThings([{ json: { "a\u0000b": 1 } }]))
    yield* dies(insertThings([{ json: [{ "\uD800": 1 }] }]))
    assert.strictEqual(yield* once((t) => t.count(things)), 0)
  }),

  "a value of another type is a defect": Effect.gen(function* () {
    for (const wrong of [
      { text: 1 },
      { integer: "1" },
      { integer: 0.5 },
      { integer: Number.NaN },
      { boolean: 1 },
      { timestamp: "now" }
    ]) {
      yield* dies(insertThings([wrong as never]))
    }
    yield* dies(once((t) => t.insert(things, { ...noThing, id: 1, json: new Date(0) })))
    assert.strictEqual(yield* once((t) => t.count(things)), 0)
  }),

  "a number beyond 2^53 - 1 violates the range of its column, written or computed": Effect.gen(function* () {
    const max = Number.MAX_SAFE_INTEGER
    const range = (column: string) => ({
      _tag: "CheckViolation" as const,
      table: "things",
      constraint: `things_${column}_range`
    })
    for (const beyond of [2 ** 53, -(2 ** 53), 1e300, Infinity, -Infinity]) {
      assert.deepInclude(yield* reasonOf(insertThings([{ integer: beyond }])), range("integer"))
      assert.deepInclude(yield* reasonOf(insertThings([{ timestamp: beyond }])), range("timestamp"))
    }
    yield* insertThings([{ integer: max, timestamp: -max }])
    const update = (set: (row: typeof things.row) => object) =>
      once((t) => t.update(things, { where: (row) => eq(row.id, 1), set }))
    assert.deepInclude(yield* reasonOf(update((row) => ({ integer: add(row.integer as never, 1) }))), range("integer"))
    const earlier = (row: typeof things.row) => ({ timestamp: subtract(row.timestamp as never, 1) })
    assert.deepInclude(yield* reasonOf(update(earlier)), range("timestamp"))
    const huge = reasonOf(update((row) => ({ integer: multiply(row.integer as never, row.integer as never) })))
    assert.deepInclude(yield* huge, { _tag: "CheckViolation", table: "things", constraint: "integer out of range" })
    const [row] = yield* update((row) => ({ integer: subtract(row.integer as never, 1) }))
    assert.strictEqual(row?.integer, max - 1)
  })
}

/** Ids 1 to 6: null, and five of each kind in ascending order. */
const ascending: ReadonlyArray<Partial<Thing>> = [
  {},
  { text: "", integer: -Number.MAX_SAFE_INTEGER, boolean: false, timestamp: -1, json: null },
  { text: "B", integer: -1, boolean: false, timestamp: 0, json: { a: 1 } },
  { text: "a", integer: 0, boolean: true, timestamp: 1, json: { a: 1 } },
  { text: "\uFFFD", integer: 1, boolean: true, timestamp: 1_763_722_800_123_456, json: [] },
  { text: "\u{10000}", integer: 2 ** 40, boolean: true, timestamp: 1_763_722_800_123_457, json: [] }
]

type ThingRow = typeof things.row

const conditions: ReadonlyArray<readonly [string, (row: ThingRow) => Condition, ReadonlyArray<number>]> = [
  ["= text", (row) => eq(row.text, "a"), [4]],
  ["= text is exact in case and form", (row) => eq(row.text, "b"), []],
  ["<> text, null is neither", (row) => ne(row.text, "a"), [2, 3, 5, 6]],
  ["< text by code point", (row) => lt(row.text, "a"), [2, 3]],
  ["> text by code point, beyond the basic plane", (row) => gt(row.text, "\uFFFD"), [6]],
  [">= text", (row) => ge(row.text, "a"), [4, 5, 6]],
  ["<= text", (row) => le(row.text, ""), [2]],
  ["= integer", (row) => eq(row.integer, 2 ** 40), [6]],
  ["< integer", (row) => lt(row.integer, 0), [2, 3]],
  [">= integer", (row) => ge(row.integer, 0), [4, 5, 6]],
  ["= boolean", (row) => eq(row.boolean, true), [4, 5, 6]],
  ["< boolean", (row) => lt(row.boolean, true), [2, 3]],
  ["= timestamp to the microsecond", (row) => eq(row.timestamp, 1_763_722_800_123_456), [5]],
  ["> timestamp to the microsecond", (row) => gt(row.timestamp, 1_763_722_800_123_456), [6]],
  ["< timestamp, before 1970", (row) => lt(row.timestamp, 0), [2]],
  ["timestamp + microseconds", (row) => eq(add(row.timestamp as never, 1), 1_763_722_800_123_457), [5]],
  ["timestamp - microseconds", (row) => eq(subtract(row.timestamp as never, 1), 0), [4]],
  ["timestamp - timestamp", (row) => eq(subtract(row.timestamp as never, row.timestamp as never), 0), [2, 3, 4, 5, 6]],
  ["timestamp with an integer column", (row) => eq(row.timestamp as never, row.integer), []],
  ["timestamp over an integer column", (row) => gt(row.timestamp as never, row.integer), [2, 3, 4, 5, 6]],
  ["integer arithmetic", (row) => eq(add(multiply(row.integer as never, 2), 1), 3), [5]],
  ["arithmetic goes on beyond 2^53", (row) => lt(multiply(row.integer as never, 4), -(2 ** 53 - 1)), [2]],
  [
    "and comes back exactly",
    (row) => eq(subtract(multiply(row.integer as never, 4), multiply(row.integer as never, 3)), row.integer),
    [2, 3, 4, 5, 6]
  ],
  ["arithmetic with null is null", (row) => isNull(add(row.integer as never, 1)), [1]],
  ["now is later than 2025", () => gt(now, 1_735_689_600_000_000), [1, 2, 3, 4, 5, 6]],
  ["the past is before now", (row) => lt(row.timestamp, subtract(now, 1)), [2, 3, 4, 5, 6]],
  ["the clock is not before now", () => ge(clockTimestamp, now), [1, 2, 3, 4, 5, 6]],
  ["= null is unknown", (row) => eq(row.text, null), []],
  ["<> null is unknown", (row) => ne(row.integer, null), []],
  ["not unknown is unknown", (row) => not(eq(row.text, null)), []],
  ["is null", (row) => isNull(row.json), [1, 2]],
  ["is not null", (row) => isNotNull(row.timestamp), [2, 3, 4, 5, 6]],
  ["in", (row) => isIn(row.integer, [0, 1, 7]), [4, 5]],
  ["in text", (row) => isIn(row.text, ["", "\u{10000}"]), [2, 6]],
  ["in timestamps", (row) => isIn(row.timestamp, [0, 1]), [3, 4]],
  ["in booleans", (row) => isIn(row.boolean, [false]), [2, 3]],
  ["in nothing is false", (row) => isIn(row.integer, []), []],
  ["not in nothing is true, of null too", (row) => not(isIn(row.integer, [])), [1, 2, 3, 4, 5, 6]],
  ["in with null finds", (row) => isIn(row.integer, [null, 1]), [5]],
  ["not in with null is unknown", (row) => not(isIn(row.integer, [null, 1])), []],
  ["and of nothing", () => and(), [1, 2, 3, 4, 5, 6]],
  ["or of nothing", () => or(), []],
  ["and of unknown and false is false", (row) => not(and(eq(row.text, null), eq(row.id, 0))), [1, 2, 3, 4, 5, 6]],
  ["or of unknown and true is true", (row) => or(eq(row.text, null), eq(row.id, 1)), [1]],
  ["two values", () => lt(value("B"), "a"), [1, 2, 3, 4, 5, 6]],
  ["two columns", (row) => eq(row.id, add(row.integer as never, 4)), [3, 4, 5]]
]

const nope = column<number>("nope")

/** What Postgres would refuse although the table is empty, and what cannot be sent. */
const mistakes: Readonly<Record<string, (t: Transaction) => Effect.Effect<unknown, StorageError>>> = {
  "a table that is not there": (t) => t.count(make("nope", { columns: { id: integer }, primaryKey: ["id"] })),
  "a column that is not there, compared": (t) => t.count(things, () => eq(nope, 1)),
  "asked for null": (t) => t.count(things, () => isNull(nope)),
  "computed with": (t) => t.count(things, (row) => eq(row.integer, add(nope, 1))),
  "in order": (t) => t.select(things, { orderBy: ["nope" as "id"] }),
  set: (t) => t.update(things, { where: () => or(), set: () => ({ nope: 1 }) as object }),
  "set to nothing": (t) => t.insert(things, { id: 1, ...noThing, nope: null } as Thing),
  "a proposed row where none is": (t) => t.count(things, () => eq(things.excluded.id, 1)),
  "a column of a row that is only proposed": (t) => t.insert(things, { ...noThing, id: things.row.id as never }),
  "a document in order": (t) => t.select(things, { orderBy: ["json"] }),
  "a document compared": (t) => t.count(things, (row) => eq(row.json, { a: 1 })),
  "in a list": (t) => t.count(things, (row) => isIn<unknown>(row.json, [[]])),
  "a text compared with a number": (t) => t.count(things, (row) => eq(row.text as never, 1)),
  "with a column": (t) => t.count(things, (row) => eq(row.text as never, row.integer)),
  "a boolean in a list of numbers": (t) => t.count(things, (row) => isIn<unknown>(row.boolean, [1])),
  "a text in a sum": (t) => t.count(things, (row) => eq(row.integer, add(row.text as never, 1))),
  "text with NUL in a condition": (t) => t.count(things, (row) => eq(row.text, "a\u0000b")),
  "half a character": (t) => t.count(things, (row) => ne(row.text, "\uD800")),
  "in a list too": (t) => t.count(things, (row) => isIn(row.text, ["a", "\u0000"])),
  "a number that is not whole": (t) => t.count(things, (row) => gt(row.integer, 0.5)),
  "not a number": (t) => t.count(things, (row) => eq(row.integer, Number.NaN)),
  "beyond 2^53 - 1": (t) => t.delete(things, { where: (row) => lt(row.integer, 2 ** 53) }),
  "of a time": (t) => t.count(things, (row) => eq(row.timestamp, Infinity)),
  "in a list of numbers": (t) => t.count(things, (row) => isIn(row.integer, [1, 2 ** 60])),
  "in a sum": (t) => t.count(things, (row) => eq(row.integer, add(row.id, 0.5))),
  "a key with NUL": (t) => t.get(make("leases", { columns: { key: text }, primaryKey: ["key"] }), { key: "\u0000" }),
  "a value of another type where no row is": (t) =>
    t.update(things, { where: () => or(), set: () => ({ integer: "1" as never }) }),
  "an expression of another type": (t) =>
    t.update(things, { where: () => or(), set: (row) => ({ boolean: row.integer as never }) }),
  "a conflict in what is not unique": (t) =>
    t.insert(rules, rule, { onConflict: { target: ["amount"], action: "nothing" } }),
  "an update for a conflict in anything": (t) =>
    t.insert(rules, rule, { onConflict: { target: [], action: "update", set: () => ({}) } }),
  "a limit below nothing": (t) => t.select(things, { limit: -1 }),
  "half a limit": (t) => t.select(things, { limit: 0.5 }),
  "more values than are sent at once": (t) =>
    t.insert(
      things,
      Array.from({ length: 5_462 }, (_, id) => ({ ...noThing, id }))
    )
}

const questions: Readonly<Record<string, Program>> = {
  "conditions mean what they mean in SQL": Effect.gen(function* () {
    yield* insertThings(ascending)
    for (const [title, where, ids] of conditions) {
      assert.deepStrictEqual(yield* idsWhere(where), ids, title)
      assert.strictEqual(yield* once((t) => t.count(things, where)), ids.length, title)
    }
  }),

  "documents and different types are not compared": Effect.gen(function* () {
    yield* insertThings(ascending)
    yield* dies(idsWhere((row) => eq(row.json, { a: 1 })))
    yield* dies(idsWhere((row) => eq(row.text as never, 1)))
    yield* dies(idsWhere((row) => lt(row.integer as never, "1")))
    yield* dies(idsWhere((row) => eq({ ...row.id, name: "nope" } as never, 1)))
  }),

  "what is wrong whatever the data is a defect, also where there is nothing to ask or to change": Effect.gen(
    function* () {
      for (const [title, mistake] of Object.entries(mistakes)) {
        yield* dies(once(mistake), title)
        yield* dies(transact(mistake), title)
      }
      yield* dies(once((t) => t.count(things), [{ lease: "\u0000", epoch: 1 }]))
      yield* dies(transact((t) => t.count(things), { fences: [{ lease: "\uD800", epoch: 1 }] }))
      yield* dies(once((t) => t.count(things), [{ lease: "k", epoch: 0.5 }]))
      assert.strictEqual(yield* once((t) => t.count(things)), 0)
      // What is left out, and as much as can be sent, is no mistake.
      yield* insertThings([{ json: { a: undefined, b: [] } }])
      const most = Array.from({ length: 5_461 }, (_, id) => ({ ...noThing, id: id + 2 }))
      assert.lengthOf(yield* once((t) => t.insert(things, most)), most.length)
    }
  ),

  "rows are ordered by code point, nulls as if greatest, and limited": Effect.gen(function* () {
    yield* insertThings(ascending)
    for (const column of ["text", "integer", "timestamp"] as const) {
      const rows = (direction: "asc" | "desc", limit = 9) =>
        Effect.map(
          once((t) => t.select(things, { orderBy: [{ column, direction }], limit })),
          (found) => found.map(({ id }) => id)
        )
      assert.deepStrictEqual(yield* rows("asc"), [2, 3, 4, 5, 6, 1], column)
      assert.deepStrictEqual(yield* rows("desc"), [1, 6, 5, 4, 3, 2], column)
      assert.deepStrictEqual(yield* rows("asc", 2), [2, 3], column)
      assert.deepStrictEqual(yield* rows("asc", 0), [], column)
    }
    const byBoth = yield* once((t) =>
      t.select(things, {
        orderBy: ["boolean", { column: "id", direction: "desc" }],
        where: (row) => isNotNull(row.boolean)
      })
    )
    assert.deepStrictEqual(
      byBoth.map(({ id }) => id),
      [3, 2, 6, 5, 4]
    )
  }),

  "now is the start of the transaction, the clock goes on": Effect.gen(function* () {
    const [first, second] = yield* transact((t) =>
      Effect.gen(function* () {
        const read = (id: number) => t.insert(rules, { ...rule, id, name: `${id}`, at: id < 10 ? now : clockTimestamp })
        const [one] = yield* read(1)
        const [early] = yield* read(11)
        yield* Effect.sleep("10 millis")
        const [two] = yield* read(2)
        const [late] = yield* read(12)
        assert.strictEqual(one!.at, two!.at)
        return [early!.at - one!.at, late!.at - early!.at] as const
      })
    )
    assert.isAtLeast(first, 0)
    assert.isAtLeast(second, 9_000)
    const [later] = yield* once((t) => t.insert(rules, { ...rule, id: 3, name: "3", at: now }))
    const before = yield* once((t) => t.get(rules, { id: 1 }))
    assert.isAbove(later!.at, before!.at)
  })
}

const writes: Readonly<Record<string, Program>> = {
  "an insert answers its rows, an update those after it, a delete those before it": Effect.gen(function* () {
    const inserted = yield* once((t) =>
      t.insert(things, [
        { id: 1, ...noThing },
        { id: 2, ...noThing, integer: 5 }
      ])
    )
    assert.deepStrictEqual(inserted, [
      { id: 1, ...noThing },
      { id: 2, ...noThing, integer: 5 }
    ])
    const increment = once((t) =>
      t.update(things, {
        where: (row) => ge(row.id, 2),
        set: (row) => ({ integer: add(row.integer as never, row.id) })
      })
    )
    assert.deepStrictEqual(yield* increment, [{ id: 2, ...noThing, integer: 7 }])
    const remove = once((t) => t.delete(things, { where: (row) => eq(row.id, 2) }))
    assert.deepStrictEqual(yield* remove, [{ id: 2, ...noThing, integer: 7 }])
    assert.deepStrictEqual(yield* remove, [])
    assert.deepStrictEqual(yield* increment, [])
    assert.deepStrictEqual(yield* once((t) => t.insert(things, [])), [])
    assert.strictEqual(yield* once((t) => t.count(things)), 1)
    assert.strictEqual(yield* once((t) => t.get(things, { id: 2 })), undefined)
  }),

  "an update that sets nothing answers its rows": Effect.gen(function* () {
    yield* insertThings([{}, {}])
    const rows = yield* once((t) => t.update(things, { where: (row) => eq(row.id, 2), set: () => ({}) }))
    assert.deepStrictEqual(rows, [{ id: 2, ...noThing }])
  }),

  "a row may exchange its values": Effect.gen(function* () {
    yield* insertThings([{ integer: 1, timestamp: 2 }])
    const swap = (row: ThingRow) => ({ integer: row.timestamp, timestamp: row.integer }) as never
    const [row] = yield* once((t) => t.update(things, { where: () => and(), set: swap }))
    assert.deepInclude(row, { integer: 2, timestamp: 1 })
  }),

  "on conflict do nothing leaves the row and answers the others": Effect.gen(function* () {
    yield* insertThings([{ integer: 1 }])
    const insert = (ids: ReadonlyArray<number>) =>
      once((t) =>
        t.insert(
          things,
          ids.map((id) => ({ id, ...noThing, integer: 9 })),
          { onConflict: { target: ["id"], action: "nothing" } }
        )
      )
    assert.deepStrictEqual(
      (yield* insert([1, 2, 2])).map(({ id }) => id),
      [2]
    )
    assert.strictEqual((yield* once((t) => t.get(things, { id: 1 })))?.integer, 1)
    const other = { target: ["id"], action: "nothing" } as const
    yield* once((t) => t.insert(rules, rule))
    const violation = yield* reasonOf(once((t) => t.insert(rules, { ...rule, id: 2 }, { onConflict: other })))
    assert.deepInclude(violation, { _tag: "UniqueViolation", constraint: "rules_key_name_word" })
    const any = once((t) => t.insert(rules, { ...rule, id: 2 }, { onConflict: { target: [], action: "nothing" } }))
    assert.deepStrictEqual(yield* any, [])
  }),

  "on conflict do update sees the row and the one proposed, and leaves what its condition does not accept": Effect.gen(
    function* () {
      yield* once((t) => t.insert(rules, [rule, { ...rule, id: 2, name: "b", amount: 50 }]))
      const upsert = (names: ReadonlyArray<string>) =>
        once((t) =>
          t.insert(
            rules,
            names.map((name, index) => ({ ...rule, id: index + 10, name, amount: 7 })),
            {
              onConflict: {
                target: ["word", "name"],
                action: "update",
                set: (row, excluded) => ({ amount: add(row.amount, excluded.amount), at: excluded.at }),
                where: (row, excluded) => lt(row.amount, excluded.amount)
              }
            }
          )
        )
      const rows = yield* upsert(["a", "b", "c"])
      assert.deepStrictEqual(
        rows.map(({ amount, id }) => [id, amount]),
        [
          [1, 8],
          [12, 7]
        ]
      )
      assert.strictEqual((yield* once((t) => t.get(rules, { id: 2 })))?.amount, 50)
      yield* dies(upsert(["d", "d"]))
      yield* dies(
        once((t) =>
          t.insert(rules, rule, { onConflict: { target: ["amount"], action: "update", set: () => ({ amount: 1 }) } })
        )
      )
    }
  ),

  "violations name their table and constraint": Effect.gen(function* () {
    yield* once((t) => t.insert(rules, rule))
    const insert = (row: object) =>
      reasonOf(once((t) => t.insert(rules, { ...rule, id: 2, name: "b", ...row } as never)))
    const unique = (constraint: string) => ({ _tag: "UniqueViolation" as const, table: "rules", constraint })
    const check = (constraint: string) => ({ _tag: "CheckViolation" as const, table: "rules", constraint })
    assert.deepInclude(yield* insert({ id: 1 }), unique("rules_pkey"))
    assert.deepInclude(yield* insert({ name: "a" }), unique("rules_key_name_word"))
    assert.deepInclude(yield* insert({ id: 1, name: "a" }), unique("rules_pkey"))
    assert.deepInclude(yield* insert({ amount: 101 }), check("rules_amountIsSmall"))
    assert.deepInclude(yield* insert({ word: "three" }), check("rules_word_check"))
    assert.deepInclude(yield* insert({ amount: 101, word: "three" }), check("rules_amountIsSmall"))
    assert.deepInclude(yield* insert({ name: null }), check("rules_name_not_null"))
    assert.deepInclude(yield* insert({ amount: undefined }), check("rules_amount_not_null"))
    const update = (set: object) => reasonOf(once((t) => t.update(rules, { where: () => and(), set: () => set })))
    assert.deepInclude(yield* update({ amount: 101 }), check("rules_amountIsSmall"))
    assert.deepInclude(yield* update({ word: null }), check("rules_word_not_null"))
    assert.strictEqual(yield* once((t) => t.count(rules)), 1)
  })
}

/** Transactions that are interrupted before COMMIT is sent, just afterwards, and a little later, each judged when it has ended. */
const interruptedCommits = Effect.gen(function* () {
  // Whoever inserts the same waits for the end of that which goes on.
  const isThere = <R>(table: Table<R>, row: R) =>
    once((t) => t.insert(table, row as never, { onConflict: { target: [], action: "nothing" } })).pipe(
      Effect.map((inserted) => inserted.length === 0)
    )
  const seen = { rounds: 15, happened: 0, wentOn: 0 }
  for (let nth = 0; nth < seen.rounds; nth++) {
    const thing = { id: nth, ...noThing }
    const named = { ...rule, id: nth, name: `${nth}` }
    const reached = yield* Deferred.make<void>()
    const body = (t: Transaction) =>
      t
        .insert(things, thing)
        .pipe(Effect.andThen(t.insert(rules, named)), Effect.andThen(Deferred.succeed(reached, undefined)))
    const fiber = yield* Effect.forkChild(transact(body))
    yield* Deferred.await(reached)
    for (let turn = 0; turn < nth % 5; turn++) yield* Effect.yieldNow
    yield* Fiber.interrupt(fiber)
    const exit = yield* Fiber.await(fiber)
    const happened = yield* isThere(things, thing)
    assert.strictEqual(yield* isThere(rules, named), happened)
    if (Exit.isSuccess(exit)) assert.isTrue(happened, "it was told that it has committed")
    else if (happened) seen.wentOn++
    if (happened) seen.happened++
  }
  return seen
})

const transactions: Readonly<Record<string, Program>> = {
  "all of it happens, or nothing": Effect.gen(function* () {
    const body = (t: Transaction) => Effect.andThen(t.insert(things, { id: 1, ...noThing }), t.insert(rules, rule))
    const counts = Effect.all([once((t) => t.count(things)), once((t) => t.count(rules))])
    const failed = yield* Effect.flip(transact((t) => Effect.andThen(body(t), Effect.fail("no"))))
    assert.strictEqual(failed, "no")
    yield* dies(transact((t) => Effect.andThen(body(t), Effect.die("oh"))))
    const reached = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(
      transact((t) => body(t).pipe(Effect.andThen(Deferred.succeed(reached, undefined)), Effect.andThen(Effect.never)))
    )
    yield* Deferred.await(reached)
    yield* Fiber.interrupt(fiber)
    assert.deepStrictEqual(yield* counts, [0, 0])
    yield* transact(body)
    assert.deepStrictEqual(yield* counts, [1, 1])
  }),

  "an error dooms it, whatever its body makes of the error": Effect.gen(function* () {
    yield* insertThings([{}])
    const said: Array<string> = []
    const doomed = transact((t) =>
      t.insert(things, { id: 2, ...noThing }).pipe(
        Effect.andThen(reasonOf(t.insert(things, { id: 1, ...noThing }))),
        Effect.tap(({ _tag }) => Effect.sync(() => said.push(_tag))),
        Effect.andThen(reasonOf(t.get(things, { id: 1 }))),
        Effect.tap(({ _tag }) => Effect.sync(() => said.push(_tag))),
        Effect.andThen(reasonOf(t.insert(things, { id: 3, ...noThing }))),
        Effect.tap(({ _tag }) => Effect.sync(() => said.push(_tag)))
      )
    )
    assert.strictEqual((yield* reasonOf(doomed))._tag, "Aborted")
    assert.deepStrictEqual(said, ["UniqueViolation", "Aborted", "Aborted"])
    assert.strictEqual(yield* once((t) => t.count(things)), 1)
  }),

  "so does a mistake, which no database hears of": Effect.gen(function* () {
    const said: Array<string> = []
    const doomed = transact((t) =>
      t.insert(things, { id: 2, ...noThing }).pipe(
        Effect.andThen(dies(t.count(things, () => eq(nope, 1)))),
        Effect.andThen(reasonOf(t.count(things))),
        Effect.tap(({ _tag }) => Effect.sync(() => said.push(_tag)))
      )
    )
    assert.strictEqual((yield* reasonOf(doomed))._tag, "Aborted")
    assert.deepStrictEqual(said, ["Aborted"])
    assert.strictEqual(yield* once((t) => t.count(things)), 0)
  }),

  "its calls are serialised": Effect.gen(function* () {
    yield* insertThings([{ integer: 0 }])
    const increment = (t: Transaction) =>
      t.update(things, { where: () => and(), set: (row) => ({ integer: add(row.integer as never, 1) }) })
    const seen = yield* transact((t) =>
      Effect.all(
        Array.from({ length: 20 }, () => increment(t)),
        { concurrency: "unbounded" }
      )
    )
    assert.deepStrictEqual(
      seen.map(([row]) => row?.integer),
      Array.from({ length: 20 }, (_, index) => index + 1)
    )
  }),

  "a call after its end, and a second statement in once, are defects": Effect.gen(function* () {
    const escaped = yield* transact((t) => Effect.succeed(t))
    yield* dies(escaped.count(things))
    yield* dies(once((t) => Effect.andThen(t.count(things), t.count(things))))
  }),

  "it sees its own writes, and others only what is committed": Effect.gen(function* () {
    const holder = yield* held((t) => Effect.andThen(t.insert(things, { id: 1, ...noThing }), t.count(things)))
    assert.strictEqual(yield* once((t) => t.count(things)), 0)
    yield* holder.end
    assert.strictEqual(yield* once((t) => t.count(things)), 1)
  }),

  "interrupted while it waits for a lock, it ends at once and leaves nothing behind": Effect.gen(function* () {
    yield* insertThings([{ integer: 0 }])
    const set = (integer: number) => (t: Transaction) =>
      t.update(things, { where: () => and(), set: () => ({ integer }) })
    const holder = yield* held(set(1))
    const waiting = [transact(set(2)), once(set(3)), transact((t) => Effect.exit(set(4)(t)))]
    for (const waiter of waiting) {
      const fiber = yield* Effect.forkChild(waiter)
      yield* Effect.sleep("50 millis")
      yield* Fiber.interrupt(fiber)
    }
    yield* holder.end
    // Nobody of those who were interrupted comes after all.
    yield* once(set(5))
    assert.strictEqual((yield* once((t) => t.get(things, { id: 1 })))?.integer, 5)
    yield* Effect.sleep("100 millis")
    assert.strictEqual((yield* once((t) => t.get(things, { id: 1 })))?.integer, 5)
  }),

  "interrupted about when it commits, it has happened as a whole or not at all": Effect.gen(function* () {
    const { happened, rounds } = yield* interruptedCommits
    assert.isAbove(happened, 0, "not one has committed")
    assert.isBelow(happened, rounds, "all had committed before")
  }),

  "interrupted after its COMMIT was sent, it goes on": Effect.gen(function* () {
    const { wentOn } = yield* interruptedCommits
    assert.isAbove(wentOn, 0, "not one was interrupted while it committed, and has happened")
  })
}

const isolation: Readonly<Record<string, Program>> = {
  "read committed reads what is newest, repeatable read what was when it began to read": Effect.gen(function* () {
    for (const [level, expected] of [
      ["read committed", [0, 7]],
      ["repeatable read", [0, 0]],
      ["serializable", [0, 0]]
    ] as const) {
      yield* once((t) => t.delete(things, { where: () => and() }))
      yield* insertThings([{ integer: 0 }])
      const read = (t: Transaction) => Effect.map(t.get(things, { id: 1 }), (row) => row?.integer)
      const write = once((t) => t.update(things, { where: () => and(), set: () => ({ integer: 7 }) }))
      const seen = yield* transact(
        (t) =>
          Effect.gen(function* () {
            const first = yield* read(t)
            yield* write
            return [first, yield* read(t)]
          }),
        { isolation: level }
      )
      assert.deepStrictEqual(seen, [...expected], level)
    }
  }),

  "repeatable read refuses to write over what changed meanwhile": Effect.gen(function* () {
    yield* insertThings([{ integer: 0 }])
    const set = (integer: number) => (t: Transaction) =>
      t.update(things, { where: () => and(), set: () => ({ integer }) })
    const late = transact((t) => t.count(things).pipe(Effect.andThen(once(set(1))), Effect.andThen(set(2)(t))), {
      isolation: "repeatable read"
    })
    assert.strictEqual((yield* reasonOf(late))._tag, "SerializationFailure")
    assert.strictEqual((yield* once((t) => t.get(things, { id: 1 })))?.integer, 1)
  }),

  "serializable refuses one of two that each read what the other writes": Effect.gen(function* () {
    yield* insertThings([{ integer: 1 }, { integer: 1 }])
    const sum = (t: Transaction) => t.count(things, (row) => eq(row.integer, 1))
    const leave = (t: Transaction, id: number) =>
      t.update(things, { where: (row) => eq(row.id, id), set: () => ({ integer: 0 }) })
    const both = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
    const doctor = (id: 1 | 2) =>
      transact(
        (t) =>
          sum(t).pipe(
            Effect.andThen(Deferred.succeed(both[id - 1]!, undefined)),
            Effect.andThen(Deferred.await(both[2 - id]!)),
            Effect.andThen(leave(t, id))
          ),
        { isolation: "serializable" }
      )
    const ends = yield* Effect.all([Effect.exit(doctor(1)), Effect.exit(doctor(2))], { concurrency: "unbounded" })
    const refused = ends.filter(Exit.isFailure)
    assert.strictEqual(refused.length, 1)
    assert.strictEqual((yield* reasonOf(refused[0]!))._tag, "SerializationFailure")
    assert.strictEqual(yield* once(sum), 1)
  }),

  "an insert waits for an uncommitted duplicate, and for its end": Effect.gen(function* () {
    const insert = (t: Transaction) => t.insert(things, { id: 1, ...noThing })
    const undone = yield* against(yield* held(insert, "roll back"), once(insert))
    assert.isTrue(undone.waited)
    assert.strictEqual((yield* succeeded(undone)).length, 1)
    yield* once((t) => t.delete(things, { where: () => and() }))
    const done = yield* against(yield* held(insert), once(insert))
    assert.isTrue(done.waited)
    assert.deepInclude(yield* reasonOf(done.exit), { _tag: "UniqueViolation", constraint: "things_pkey" })
  }),

  "an update that waited for a row reads it again": Effect.gen(function* () {
    yield* insertThings([{ integer: 1 }])
    const increment = (t: Transaction) =>
      t.update(things, {
        where: (row) => eq(row.integer, 1),
        set: (row) => ({ integer: add(row.integer as never, 1) })
      })
    const second = yield* against(yield* held(increment), once(increment))
    assert.isTrue(second.waited)
    assert.deepStrictEqual(yield* succeeded(second), [])
    assert.strictEqual((yield* once((t) => t.get(things, { id: 1 })))?.integer, 2)
  }),

  "row locks exclude each other as in Postgres": Effect.gen(function* () {
    const modes: ReadonlyArray<RowLock> = ["for key share", "for share", "for no key update", "for update"]
    const waits: Array<string> = []
    yield* insertThings([{}])
    const lock = (mode: RowLock) => (t: Transaction) => t.get(things, { id: 1 }, { lock: mode })
    const skip = (mode: RowLock) =>
      once((t) => t.select(things, { where: (row) => eq(row.id, 1), lock: mode, skipLocked: true }))
    for (const first of modes) {
      for (const second of modes) {
        const holder = yield* held(lock(first))
        const found = yield* skip(second)
        yield* holder.end
        waits.push(found.length === 0 ? "x" : "-")
      }
    }
    assert.deepStrictEqual(waits.join(""), ["---x", "--xx", "-xxx", "xxxx"].join(""))
  }),

  "of two that wait for each other one is ended, and nobody waits for ever": Effect.gen(function* () {
    yield* insertThings([{}, {}])
    const lock = (t: Transaction, id: number) => t.get(things, { id }, { lock: "for update" })
    const both = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
    const cross = (own: 1 | 2) =>
      transact((t) =>
        lock(t, own).pipe(
          Effect.andThen(Deferred.succeed(both[own - 1]!, undefined)),
          Effect.andThen(Deferred.await(both[2 - own]!)),
          Effect.andThen(lock(t, 3 - own))
        )
      )
    const ends = yield* Effect.all([Effect.exit(cross(1)), Effect.exit(cross(2))], { concurrency: "unbounded" })
    const ended = ends.filter(Exit.isFailure)
    assert.isAtLeast(ended.length, 1)
    // Which of the two depends on whether deadlocks are looked for before the lock timeout.
    for (const end of ended) {
      const reason = yield* reasonOf(end)
      assert.isTrue(reason._tag === "Deadlock" || (reason._tag === "Timeout" && reason.limit === "lock"), reason._tag)
    }
  })
}

const limits: Readonly<Record<string, Program>> = {
  "who waits for a lock too long is told so": Effect.gen(function* () {
    yield* insertThings([{}])
    const set = (t: Transaction) => t.update(things, { where: () => and(), set: () => ({ integer: 1 }) })
    const holder = yield* held((t) => Effect.andThen(set(t), Effect.void))
    // Also when there is none: who holds the row waits to be told.
    const reason = yield* Effect.ensuring(reasonOf(once(set)), holder.end)
    assert.deepInclude(reason, { _tag: "Timeout", limit: "lock" })
  }),

  "who is silent in a transaction loses it": Effect.gen(function* () {
    yield* insertThings([{ integer: 0 }])
    const set = (t: Transaction, integer: number) => t.update(things, { where: () => and(), set: () => ({ integer }) })
    const silent = transact((t) =>
      set(t, 1).pipe(Effect.andThen(Effect.sleep("1500 millis")), Effect.andThen(set(t, 2)))
    )
    assert.deepInclude(yield* reasonOf(silent), { _tag: "Timeout", limit: "idle-in-transaction" })
    assert.strictEqual((yield* once((t) => t.get(things, { id: 1 })))?.integer, 0)
  })
}

/** Every kind of statement, on row 1, each leaving a trace of its own. */
const statements: Readonly<Record<string, (t: Transaction) => Effect.Effect<unknown, StorageError>>> = {
  select: (t) => t.select(things),
  "select for update": (t) => t.select(things, { lock: "for update" }),
  count: (t) => t.count(things),
  insert: (t) =>
    t.insert(things, [
      { id: 2, ...noThing },
      { id: 3, ...noThing }
    ]),
  "insert nothing": (t) => t.insert(things, []),
  upsert: (t) =>
    t.insert(
      things,
      { id: 1, ...noThing },
      { onConflict: { target: ["id"], action: "update", set: () => ({ integer: 3 }) } }
    ),
  update: (t) => t.update(things, { where: () => and(), set: () => ({ integer: 4 }) }),
  "update of nothing": (t) => t.update(things, { where: () => or(), set: () => ({ integer: 5 }) }),
  delete: (t) => t.delete(things, { where: () => and() })
}

const fencing: Readonly<Record<string, Program>> = {
  "a stale epoch refuses every statement, and says which epoch holds": Effect.gen(function* () {
    yield* insertThings([{ integer: 0 }])
    yield* once((t) => t.insert(leases, lease(3)))
    for (const [title, statement] of Object.entries(statements)) {
      for (const [fence, actualEpoch] of [
        [{ lease: "k", epoch: 2 }, 3],
        [{ lease: "k", epoch: 4 }, 3],
        [{ lease: "none", epoch: 3 }, null]
      ] as const) {
        const expected = { _tag: "Fenced" as const, ...fence, actualEpoch }
        assert.deepInclude(yield* reasonOf(once(statement, [fence])), expected, `once: ${title}`)
        assert.deepInclude(yield* reasonOf(transact(statement, { fences: [fence] })), expected, title)
        const second = [{ lease: "k", epoch: 3 }, fence]
        assert.deepInclude(yield* reasonOf(once(statement, second)), expected, `once, second fence: ${title}`)
        assert.deepInclude(yield* reasonOf(transact(statement, { fences: second })), expected, `second fence: ${title}`)
      }
    }
    assert.deepStrictEqual(yield* once((t) => t.select(things)), [{ id: 1, ...noThing, integer: 0 }])
  }),

  "the epoch that holds lets every statement pass": Effect.gen(function* () {
    const fences = [{ lease: "k", epoch: 3 }]
    yield* once((t) => t.insert(leases, lease(3)))
    for (const [title, statement] of Object.entries(statements)) {
      const counts: Array<unknown> = []
      for (const way of [once(statement), once(statement, fences), transact(statement, { fences })]) {
        yield* once((t) => t.delete(things, { where: () => and() }))
        yield* insertThings([{ integer: 0 }])
        counts.push([yield* way, yield* once((t) => t.select(things, { orderBy: ["id"] }))])
      }
      assert.deepStrictEqual(counts[1], counts[0], title)
      assert.deepStrictEqual(counts[2], counts[0], title)
    }
  }),

  "a take-over that is under way is waited for, and refuses whoever it deposed": Effect.gen(function* () {
    const takeOver = (t: Transaction) =>
      t.update(leases, { where: (row) => eq(row.key, "k"), set: (row) => ({ epoch: add(row.epoch, 1) }) })
    yield* insertThings([{ integer: 0 }])
    yield* once((t) => t.insert(leases, lease(1)))
    let epoch = 1
    for (const [title, statement] of Object.entries(statements)) {
      for (const way of ["once", "transaction"] as const) {
        const fences = [{ lease: "k", epoch }]
        const fenced = way === "once" ? once(statement, fences) : transact(statement, { fences })
        const attempt = yield* against(yield* held(takeOver), fenced)
        assert.isTrue(attempt.waited, `${way}: ${title}`)
        const expected = { _tag: "Fenced" as const, lease: "k", epoch, actualEpoch: epoch + 1 }
        assert.deepInclude(yield* reasonOf(attempt.exit), expected, `${way}: ${title}`)
        epoch++
      }
    }
    assert.deepStrictEqual(yield* once((t) => t.select(things)), [{ id: 1, ...noThing, integer: 0 }])
  }),

  "a take-over that is rolled back deposes nobody": Effect.gen(function* () {
    const takeOver = (t: Transaction) =>
      t.update(leases, { where: (row) => eq(row.key, "k"), set: (row) => ({ epoch: add(row.epoch, 1) }) })
    yield* insertThings([{ integer: 0 }])
    yield* once((t) => t.insert(leases, lease(1)))
    const attempt = yield* against(
      yield* held(takeOver, "roll back"),
      once(statements["update"]!, [{ lease: "k", epoch: 1 }])
    )
    assert.isTrue(attempt.waited)
    assert.deepStrictEqual(yield* succeeded(attempt), [{ id: 1, ...noThing, integer: 4 }])
  }),

  "who has waited for its fence in once sees the rows as they were before": Effect.gen(function* () {
    const takeOver = (t: Transaction) =>
      t.update(leases, { where: (row) => eq(row.key, "k"), set: (row) => ({ epoch: add(row.epoch, 1) }) })
    const number = (rows: ReadonlyArray<unknown>) => rows.length
    const asking: Readonly<Record<string, (t: Transaction) => Effect.Effect<number, StorageError>>> = {
      count: (t) => t.count(things),
      select: (t) => Effect.map(t.select(things), number),
      update: (t) => Effect.map(t.update(things, { where: () => and(), set: () => ({ integer: 4 }) }), number),
      delete: (t) => Effect.map(t.delete(things, { where: () => and() }), number)
    }
    yield* once((t) => t.insert(leases, lease(1)))
    for (const [title, ask] of Object.entries(asking)) {
      yield* insertThings([{ integer: 0 }])
      const holder = yield* held(takeOver, "roll back")
      const asked = yield* Effect.forkChild(once(ask, [{ lease: "k", epoch: 1 }]))
      yield* Effect.sleep("100 millis")
      yield* once((t) => t.insert(things, { ...noThing, id: 2 }))
      assert.isUndefined(asked.pollUnsafe(), title)
      yield* holder.end
      assert.strictEqual(yield* Fiber.join(asked), 1, title)
      yield* once((t) => t.delete(things, { where: () => and() }))
    }
  }),

  "a take-over waits for a fenced write, be it only on its way to a lock": Effect.gen(function* () {
    yield* insertThings([{ integer: 0 }])
    yield* once((t) => t.insert(leases, lease(1)))
    const fences = [{ lease: "k", epoch: 1 }]
    const takeOver = once((t) => t.update(leases, { where: (row) => eq(row.key, "k"), set: () => ({ epoch: 2 }) }))
    for (const way of ["once", "transaction"] as const) {
      yield* once((t) => t.update(leases, { where: () => and(), set: () => ({ epoch: 1 }) }))
      const holder = yield* held((t) => t.get(things, { id: 1 }, { lock: "for update" }))
      const update = statements["update"]!
      const fenced = yield* Effect.forkChild(way === "once" ? once(update, fences) : transact(update, { fences }))
      yield* Effect.sleep("50 millis")
      const deposing = yield* against(holder, takeOver)
      assert.isTrue(deposing.waited, way)
      yield* Fiber.join(fenced)
      yield* succeeded(deposing)
    }
  }),

  "a renewal passes a fence": Effect.gen(function* () {
    yield* once((t) => t.insert(leases, lease(1)))
    const renewal = once((t) =>
      t.update(leases, { where: (row) => eq(row.key, "k"), set: () => ({ renewedAt: now, expiresAt: add(now, 5) }) })
    )
    const renewed = yield* transact((t) => Effect.andThen(t.count(things), renewal), {
      fences: [{ lease: "k", epoch: 1 }]
    })
    assert.strictEqual(renewed.length, 1)
  })
}

/** Neighbours in the order of their names, and in that of what begins with them and "/". */
const projects = ["a", "a-b", "a0", "ab", "b"]

/** Two rows of each project, in both tables: "a/1" and "a/2". */
const stocked = Effect.gen(function* () {
  const rows = projects.flatMap((project) => [1, 2].map((amount) => ({ id: `${project}/${amount}`, project, amount })))
  yield* once((t) => t.insert(goods, rows))
  yield* once((t) =>
    t.insert(
      paths,
      rows.map(({ amount, id }) => ({ id, amount }))
    )
  )
})

const everyGood = Effect.map(
  once((t) => t.select(goods, { orderBy: ["id"] })),
  (rows) => rows.map(({ amount, id, project }) => `${id} ${project} ${amount}`)
)

/** A call for a project, as one statement and as a transaction of its own. */
const waysFor = <A>(project: string, call: (t: Transaction) => Effect.Effect<A, StorageError>) => ({
  once: once(call, [], project),
  transaction: transact(call, { project })
})

const tenants: Readonly<Record<string, Program>> = {
  "who works for a project sees its rows only, whatever it asks for": Effect.gen(function* () {
    yield* stocked
    for (const project of projects) {
      const own = [`${project}/1`, `${project}/2`]
      for (const table of [goods, paths] as const) {
        const idsOf = (rows: ReadonlyArray<{ readonly id: string }>) => rows.map(({ id }) => id).toSorted()
        for (const [way, found] of Object.entries({
          ...waysFor(project, (t) => t.select<{ readonly id: string }>(table)),
          locked: transact((t) => t.select<{ readonly id: string }>(table, { lock: "for update" }), { project }),
          either: once((t) => t.select(table, { where: (row) => or(eq(row.amount, 1), ne(row.id, "")) }), [], project)
        })) {
          assert.deepStrictEqual(idsOf(yield* found), own, `${table.name} ${way}`)
        }
        for (const counted of Object.values(waysFor(project, (t) => t.count(table)))) {
          assert.strictEqual(yield* counted, 2, table.name)
        }
        for (const other of projects) {
          for (const found of Object.values(
            waysFor(project, (t) => t.get<{ readonly id: string }>(table, { id: `${other}/1` }))
          )) {
            assert.strictEqual((yield* found)?.id, other === project ? "a/1".replace("a", project) : undefined)
          }
        }
      }
    }
  }),

  "changes and removes none of another": Effect.gen(function* () {
    yield* stocked
    const all = yield* everyGood
    const change = waysFor("a", (t) => t.update(goods, { where: () => and(), set: () => ({ amount: 7 }) }))
    for (const changed of Object.values(change)) {
      assert.deepStrictEqual((yield* changed).map(({ id }) => id).toSorted(), ["a/1", "a/2"])
    }
    for (const removed of Object.values(waysFor("a", (t) => t.delete(goods, { where: () => and() })))) yield* removed
    assert.deepStrictEqual(
      yield* everyGood,
      all.filter((row) => !row.startsWith("a/"))
    )
  }),

  "makes no row of another, and gives none away": Effect.gen(function* () {
    yield* stocked
    const all = yield* everyGood
    for (const [title, statement] of Object.entries<(t: Transaction) => Effect.Effect<unknown, StorageError>>({
      insert: (t) => t.insert(goods, { id: "x", project: "b", amount: 1 }),
      "insert beside its own": (t) =>
        t.insert(goods, [
          { id: "y", project: "a", amount: 1 },
          { id: "x", project: "b", amount: 1 }
        ]),
      "insert unless it is there": (t) =>
        t.insert(goods, { id: "b/1", project: "b", amount: 1 }, { onConflict: { target: ["id"], action: "nothing" } }),
      "insert below another's name": (t) => t.insert(paths, { id: "b/x", amount: 1 }),
      "insert below a neighbour's name": (t) => t.insert(paths, { id: "a-b/x", amount: 1 }),
      "insert below no name": (t) => t.insert(paths, { id: "a", amount: 1 }),
      update: (t) => t.update(goods, { where: (row) => eq(row.id, "a/1"), set: () => ({ project: "b" }) }),
      "update of a path": (t) => t.update(paths, { where: (row) => eq(row.id, "a/1"), set: () => ({ id: "b/x" }) }),
      "insert or update of another's": (t) =>
        t.insert(
          goods,
          { id: "b/1", project: "a", amount: 9 },
          { onConflict: { target: ["id"], action: "update", set: () => ({ amount: 9 }) } }
        )
    })) {
      for (const refused of Object.values(waysFor("a", statement))) yield* dies(refused, title)
    }
    assert.deepStrictEqual(yield* everyGood, all)
    assert.strictEqual(yield* once((t) => t.count(paths)), 2 * projects.length)
  }),

  "what an insert meets of another is left as it is": Effect.gen(function* () {
    yield* stocked
    const all = yield* everyGood
    for (const onConflict of [
      { target: ["id"], action: "nothing" },
      { target: ["id"], action: "update", set: () => ({ amount: 9 }), where: () => or() }
    ] as const) {
      const met = waysFor("a", (t) => t.insert(goods, { id: "b/1", project: "a", amount: 9 }, { onConflict }))
      for (const inserted of Object.values(met)) assert.deepStrictEqual(yield* inserted, [])
    }
    assert.deepStrictEqual(yield* everyGood, all)
  }),

  "its own rows it may make, meet, change and remove": Effect.gen(function* () {
    const row = { id: "a/1", project: "a", amount: 1 }
    const upserted = { target: ["id"], action: "update", set: () => ({ amount: 2 }) } as const
    for (const way of ["once", "transaction"] as const) {
      const run = <A>(call: (t: Transaction) => Effect.Effect<A, StorageError>) => waysFor("a", call)[way]
      assert.deepStrictEqual(yield* run((t) => t.insert(goods, row)), [row])
      const met = yield* run((t) => t.insert(goods, row, { onConflict: upserted }))
      assert.deepStrictEqual(met, [{ ...row, amount: 2 }])
      const changed = yield* run((t) =>
        t.update(goods, { where: (it) => eq(it.id, "a/1"), set: (it) => ({ amount: add(it.amount, 1) }) })
      )
      assert.deepStrictEqual(changed, [{ ...row, amount: 3 }])
      assert.deepStrictEqual(yield* run((t) => t.delete(goods, { where: () => and() })), changed)
    }
  }),

  "holds from the first statement of a transaction to the last, and no longer": Effect.gen(function* () {
    yield* stocked
    const counted = (t: Transaction) => Effect.all([t.count(things), t.count(goods), t.count(goods), t.count(paths)])
    for (const isolation of ["read committed", "repeatable read", "serializable"] as const) {
      assert.deepStrictEqual(yield* transact(counted, { project: "a", isolation }), [0, 2, 2, 2])
      assert.deepStrictEqual(yield* transact(counted, { isolation }), [0, 10, 10, 10])
    }
    // Whatever the first one is, and though it finds nothing to look at.
    for (const first of [
      (t: Transaction) => t.select(goods, { where: () => or() }),
      (t: Transaction) => t.select(goods, { limit: 0 }),
      (t: Transaction) => t.select(goods, { where: () => or(), lock: "for update" }),
      (t: Transaction) => t.count(goods, () => or()),
      (t: Transaction) => t.insert(goods, []),
      (t: Transaction) => t.update(goods, { where: () => or(), set: () => ({ amount: 9 }) }),
      (t: Transaction) => t.delete(goods, { where: () => or() })
    ] as ReadonlyArray<(t: Transaction) => Effect.Effect<unknown, StorageError>>) {
      const then = (t: Transaction) => Effect.andThen(first(t), Effect.all([t.count(goods), t.count(paths)]))
      assert.deepStrictEqual(yield* transact(then, { project: "a" }), [2, 2])
    }
    // More than there are connections, one after the other and side by side, some of which fail.
    yield* Effect.forEach(
      Array.from({ length: 24 }),
      (_, nth) => {
        const project = nth % 3 === 0 ? undefined : projects[nth % projects.length]
        const count = once((t) => t.count(goods), [], project)
        const failing = transact((t) => Effect.andThen(t.count(goods), Effect.fail("given up")), { project: "b" })
        return Effect.gen(function* () {
          if (nth % 2 === 0) yield* Effect.exit(failing)
          assert.strictEqual(yield* count, project === undefined ? 10 : 2)
        })
      },
      { concurrency: 8 }
    )
  }),

  "goes together with fences": Effect.gen(function* () {
    yield* stocked
    yield* once((t) => t.insert(leases, lease(3)))
    const [held, stale] = [3, 2].map((epoch) => [{ lease: "k", epoch }])
    const change = (t: Transaction) => t.update(goods, { where: () => and(), set: () => ({ amount: 5 }) })
    for (const statement of [change, (t: Transaction) => t.select(goods)]) {
      assert.lengthOf(yield* once(statement, held, "a"), 2)
      assert.lengthOf(yield* transact(statement, { fences: held!, project: "a" }), 2)
      const expected = { _tag: "Fenced" as const, lease: "k", epoch: 2, actualEpoch: 3 }
      assert.deepInclude(yield* reasonOf(once(statement, stale, "a")), expected)
      assert.deepInclude(yield* reasonOf(transact(statement, { fences: stale!, project: "a" })), expected)
    }
  }),

  "a row that is given to another while it is waited for is left": Effect.gen(function* () {
    yield* stocked
    const given = (t: Transaction) =>
      t.update(goods, { where: (row) => eq(row.id, "a/1"), set: () => ({ project: "b" }) })
    const change = (t: Transaction) => t.update(goods, { where: () => and(), set: () => ({ amount: 5 }) })
    const attempt = yield* against(yield* held(given), once(change, [], "a"))
    assert.isTrue(attempt.waited)
    assert.deepStrictEqual(
      (yield* succeeded(attempt)).map(({ id }) => id),
      ["a/2"]
    )
  }),

  "a project without a name is a defect, and so is one that is no text": Effect.gen(function* () {
    for (const project of ["", "a\u0000"]) {
      for (const refused of Object.values(waysFor(project, (t) => t.count(goods)))) yield* dies(refused)
    }
  })
}

const groups = { kinds, questions, writes, transactions, isolation, limits, fencing, tenants } as const
