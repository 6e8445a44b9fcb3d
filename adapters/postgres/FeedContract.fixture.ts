/**
 * The laws of the change feed, for every implementation of it: real Postgres, and the model.
 *
 * A law is a program over `Storage` and `Feed` on tables that are empty when it begins; what was done to them before is no
 * business of a cursor that is taken now.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import { follow } from "../../core/feed/follow.ts"
import { add, clockTimestamp, eq, ge, subtract } from "../../core/ports/Condition.ts"
import { type Change, type Cursor, Feed } from "../../core/ports/Feed.ts"
import { Replica } from "../../core/ports/Replica.fixture.ts"
import { Storage, type StorageError, type Transaction, leases } from "../../core/ports/Storage.ts"
import { type Table, integer, make, nullable, text, timestamp } from "../../core/ports/Table.ts"

const accounts = make("accounts", {
  columns: { id: integer, value: integer },
  primaryKey: ["id"],
  checks: { valueIsNotNegative: (row) => ge(row.value, 0) }
})
const notes = make("notes", {
  columns: { place: text, at: timestamp, note: nullable(text) },
  primaryKey: ["place", "at"]
})

const links = make("links", { columns: { from: text, to: text }, primaryKey: ["from", "to"] })

export const tables: ReadonlyArray<Table<unknown>> = [accounts, notes, links, leases]

/** Waits until every transaction that began before has ended: of others too, where others are at work beside the suite. */
export const Settled = Context.Reference<Effect.Effect<void>>("stormglass/FeedContract/Settled", {
  defaultValue: () => Effect.void
})

type Program = Effect.Effect<void, unknown, Storage | Feed | Scope.Scope>

/** Declares the suite. `run` empties the tables, then runs the program with storage and feed over them. */
export const feedContract = (implementation: string, run: (program: Program) => Effect.Effect<void, unknown>): void => {
  // covers A31
  describe(`the change feed of ${implementation}`, () => {
    for (const [law, program] of Object.entries(laws)) it.live(law, () => run(program))
  })
}

const once = <A>(call: (transaction: Transaction) => Effect.Effect<A, StorageError>) =>
  Effect.flatMap(Storage, (storage) => storage.once(call, { label: "law" }))

const put = (id: number, value: number) => once((t) => t.insert(accounts, { id, value }))
const set = (id: number, value: number) =>
  once((t) => t.update(accounts, { where: (row) => eq(row.id, id), set: () => ({ value }) }))

const shown = (changes: ReadonlyArray<Change>) =>
  changes.map(
    ({ after, before, key, table }) =>
      `${table} ${key}: ${String(before?.["value"] ?? "-")} to ${String(after?.["value"] ?? "-")}`
  )

/** All changes since the cursor, asked for in pieces of this size, and where that ends. */
const since = (cursor: Cursor, changesMax?: number) =>
  Effect.gen(function* () {
    const feed = yield* Feed
    const changes: Array<Change> = []
    let at = cursor
    while (true) {
      const batch = yield* feed.poll(at, changesMax === undefined ? {} : { changesMax })
      assert.isAtMost(batch.changes.length, changesMax ?? Infinity)
      changes.push(...batch.changes)
      at = batch.cursor
      if (batch.isComplete) return { changes, cursor: at }
    }
  })

const refusal = (cursor: Cursor) =>
  Effect.flatMap(Feed, (feed) => Effect.map(Effect.flip(feed.poll(cursor)), ({ reason }) => reason._tag))

const laws: Readonly<Record<string, Program>> = {
  "lists what is there, and then gives what is committed, as the tables store it": Effect.gen(function* () {
    const feed = yield* Feed
    const { transaction } = yield* Storage
    yield* put(1, 10)
    const listing = yield* feed.list(tables)
    assert.deepStrictEqual(listing.rows, [{ table: "accounts", row: { id: 1, value: 10 } }])
    yield* transaction(
      (t) =>
        Effect.andThen(
          t.update(accounts, { where: (row) => eq(row.id, 1), set: () => ({ value: 11 }) }),
          t.insert(notes, { place: "hier, là-bas", at: 1_795_000_000_000_001, note: null })
        ),
      { label: "both" }
    )
    yield* once((t) => t.delete(accounts, { where: (row) => eq(row.id, 1) }))
    const { changes } = yield* since(listing.cursor)
    const [updated, inserted, deleted] = changes
    assert.strictEqual(changes.length, 3)
    assert.deepInclude(updated, { key: "1", before: { id: 1, value: 10 }, after: { id: 1, value: 11 } })
    const note = { place: "hier, là-bas", at: 1_795_000_000_000_001, note: null }
    assert.deepInclude(inserted, { table: "notes", key: "hier, là-bas/1795000000000001", before: null, after: note })
    assert.deepInclude(deleted, { key: "1", before: { id: 1, value: 11 }, after: null })
    assert.strictEqual(updated!.transactionId, inserted!.transactionId)
    assert.notStrictEqual(updated!.transactionId, deleted!.transactionId)
    assert.isAtLeast(deleted!.atMicros, updated!.atMicros)
  }),

  "calls no two rows the same, and tells a row that is called anew as another one": Effect.gen(function* () {
    const feed = yield* Feed
    const { cursor } = yield* feed.list(tables)
    const rows = [
      { from: "a/b", to: "c" },
      { from: "a", to: "b/c" },
      { from: "a", to: "b%2Fc" }
    ] as const
    for (const row of rows) yield* once((t) => t.insert(links, row))
    yield* once((t) => t.delete(links, { where: (row) => eq(row.to, "b/c") }))
    yield* once((t) => t.update(links, { where: (row) => eq(row.to, "c"), set: () => rows[1]! }))
    const { changes } = yield* since(cursor)
    assert.strictEqual(new Set(changes.slice(0, 3).map(({ key }) => key)).size, 3)
    assert.deepStrictEqual(
      changes.slice(3).map(({ after, before, key }) => [key, before, after]),
      [
        ["a/b%2Fc", rows[1], null],
        ["a/b/c", rows[0], null],
        ["a/b%2Fc", null, rows[1]]
      ]
    )
    const replica = new Replica()
    replica.list({ rows: [], cursor }, tables)
    replica.apply(changes)
    const listed = new Replica()
    listed.list(yield* feed.list(tables), tables)
    assert.deepStrictEqual(replica.sorted, listed.sorted)
  }),

  "says of every change how its writer was labelled, and under which fences it wrote": Effect.gen(function* () {
    const { transaction, ...storage } = yield* Storage
    const [first, second] = ["leader", "buckets/3 'of \"7\"'"]
    const lease = (key: string) => ({ key, holder: "a", acquiredAt: 1, renewedAt: 1, expiresAt: 2, releasedAt: null })
    yield* storage.once(
      (t) =>
        t.insert(leases, [
          { ...lease(first), epoch: 3 },
          { ...lease(second), epoch: 4 }
        ]),
      { label: "lease/acquire" }
    )
    const { cursor } = yield* (yield* Feed).list(tables)
    const fences = [
      { lease: first, epoch: 3 },
      { lease: second, epoch: 4 }
    ]
    const insert = (id: number) => (t: Transaction) => t.insert(accounts, { id, value: id })
    const raise = (t: Transaction) =>
      t.update(accounts, { where: (row) => ge(row.id, 1), set: (row) => ({ value: add(row.value, 1) }) })
    yield* storage.once(insert(1), { label: "fenced/once", fences })
    yield* storage.once(insert(2), { label: "open/once" })
    yield* transaction((t) => Effect.andThen(insert(3)(t), t.delete(accounts, { where: (row) => eq(row.id, 1) })), {
      label: "fenced: both",
      fences
    })
    yield* transaction(raise, { label: "open" })
    yield* storage.once(raise, { label: "one/fence", fences: fences.slice(0, 1) })
    // Nobody's: refused, it says nothing of what comes after it.
    const stale = transaction(raise, { label: "stale", fences: [{ lease: first, epoch: 2 }] })
    assert.strictEqual((yield* Effect.flip(stale)).reason._tag, "Fenced")
    yield* storage.once((t) => t.delete(accounts, { where: (row) => ge(row.id, 3) }), { label: "last" })
    const { changes } = yield* since(cursor)
    const said = changes.map(({ fences, key, label }) => [
      label,
      key,
      fences.map(({ epoch, lease }) => `${lease} ${epoch}`).join(", ")
    ])
    const both = `${first} 3, ${second} 4`
    assert.deepStrictEqual(said, [
      ["fenced/once", "1", both],
      ["open/once", "2", ""],
      ["fenced: both", "3", both],
      ["fenced: both", "1", both],
      ["open", "2", ""],
      ["open", "3", ""],
      ["one/fence", "2", `${first} 3`],
      ["one/fence", "3", `${first} 3`],
      ["last", "3", ""]
    ])
  }),

  "gives nothing of a transaction that was rolled back": Effect.gen(function* () {
    const { cursor } = yield* (yield* Feed).list(tables)
    const { transaction } = yield* Storage
    yield* put(1, 1)
    const doomed = transaction((t) => Effect.andThen(t.insert(accounts, { id: 2, value: 2 }), Effect.fail("no")), {
      label: "doomed"
    })
    assert.strictEqual(yield* Effect.flip(doomed), "no")
    assert.deepStrictEqual(shown((yield* since(cursor)).changes), ["accounts 1: - to 1"])
  }),

  "gives each change once, in pieces of whatever size, from any cursor it ever gave": Effect.gen(function* () {
    const { cursor } = yield* (yield* Feed).list(tables)
    const cursors = [cursor]
    for (let id = 1; id <= 7; id++) {
      yield* put(id, id)
      yield* set(id, 2 * id)
      cursors.push((yield* since(cursors.at(-1)!)).cursor)
    }
    const all = shown((yield* since(cursor)).changes)
    assert.strictEqual(all.length, 14)
    for (const [at, from] of cursors.entries()) {
      for (const changesMax of [1, 2, 3, 5, 100]) {
        assert.deepStrictEqual(shown((yield* since(from, changesMax)).changes), all.slice(2 * at))
      }
    }
  }),

  "tells a primary key that changes as a deletion and an insertion": Effect.gen(function* () {
    yield* put(1, 5)
    const { cursor } = yield* (yield* Feed).list(tables)
    yield* once((t) => t.update(accounts, { where: (row) => eq(row.id, 1), set: () => ({ id: 2 }) }))
    assert.deepStrictEqual(shown((yield* since(cursor)).changes), ["accounts 1: 5 to -", "accounts 2: - to 5"])
  }),

  "follows writers who meet: no change is missing, doubled or out of its row's order, and no transaction is halved":
    Effect.gen(function* () {
      const feed = yield* Feed
      const { transaction } = yield* Storage
      for (const id of [1, 2, 3]) yield* put(id, 100)
      const listing = yield* feed.list(tables)
      const done = yield* Ref.make(0)
      const writer = (nth: number) =>
        Effect.forEach(
          Array.from({ length: 15 }, (_, at) => at),
          (at) => {
            const [from, to] = [((nth + at) % 3) + 1, ((nth + 2 * at + 1) % 3) + 1]
            const move = (id: number, amount: number) => ({
              where: (row: (typeof accounts)["row"]) => eq(row.id, id),
              set: (row: (typeof accounts)["row"]) => ({ value: subtract(add(row.value, amount), 0) })
            })
            const transfer = transaction(
              (t) => Effect.andThen(t.update(accounts, move(from, -1)), t.update(accounts, move(to, 1))),
              { label: "transfer" }
            )
            // A deadlock, or a wait that is too long: nothing has happened.
            return Effect.exit(transfer)
          }
        ).pipe(Effect.andThen(Ref.update(done, (count) => count + 1)))
      const reader = (changesMax: number) =>
        Effect.gen(function* () {
          const replica = new Replica()
          replica.list(listing, tables)
          let { cursor } = listing
          while (true) {
            const isLast = (yield* Ref.get(done)) === 4
            const found = yield* since(cursor, changesMax)
            replica.apply(found.changes)
            cursor = found.cursor
            const sum = Array.from(replica.rows.values()).reduce((total, row) => total + (row["value"] as number), 0)
            assert.strictEqual(sum, 300, "whoever has a complete batch has whole transactions")
            if (isLast) return replica
            yield* Effect.sleep("1 millis")
          }
        })
      const writers = Effect.all([0, 1, 2, 3].map(writer), { concurrency: "unbounded" })
      const readers = Effect.all([1, 2, 1_000].map(reader), { concurrency: "unbounded" })
      const [, replicas] = yield* Effect.all([writers, readers], { concurrency: "unbounded" })
      const truth = new Replica()
      truth.list(yield* feed.list(tables), tables)
      for (const replica of replicas) assert.deepStrictEqual(replica.sorted, truth.sorted)
      assert.isAbove(replicas[0]!.changes, 30)
    }),

  "forgets what is old: an older cursor must list again, the newest goes on": Effect.gen(function* () {
    const feed = yield* Feed
    const { cursor: oldest } = yield* feed.list(tables)
    yield* put(1, 1)
    yield* yield* Settled
    const { cursor } = yield* since(oldest)
    assert.strictEqual(yield* feed.compact({ olderThanMillis: 3_600_000 }), 0)
    assert.isAtLeast(yield* feed.compact({ olderThanMillis: -1_000 }), 1)
    assert.strictEqual(yield* refusal(oldest), "Compacted")
    yield* set(1, 2)
    assert.deepStrictEqual(shown((yield* since(cursor)).changes), ["accounts 1: 1 to 2"])
    const again = yield* feed.list(tables)
    assert.deepStrictEqual(again.rows, [{ table: "accounts", row: { id: 1, value: 2 } }])
    assert.deepStrictEqual((yield* since(again.cursor)).changes, [])
  }),

  "refuses what no feed has given": Effect.gen(function* () {
    for (const cursor of ["", "0", "tomorrow", "1/2/3", "eyJ2ZXJzaW9uIjoxfQ"]) {
      assert.strictEqual(yield* refusal(cursor), "ForeignCursor")
    }
  }),

  "hints at a topic when something is committed that is about it, and not when it is about another": Effect.gen(
    function* () {
      const feed = yield* Feed
      const [hints, released, due] = yield* Effect.all([feed.hints, feed.hintsOf("released"), feed.hintsOf("due")])
      for (const each of [hints, released, due]) yield* Queue.take(each)
      const lease = { holder: "a", epoch: 1, acquiredAt: 1, renewedAt: 1, expiresAt: 2, releasedAt: null }
      yield* once((t) => t.insert(leases, { ...lease, key: "one" }))
      yield* Queue.take(hints)
      assert.deepStrictEqual([yield* Queue.size(released), yield* Queue.size(due)], [0, 0])
      yield* once((t) =>
        t.update(leases, { where: (row) => eq(row.key, "one"), set: () => ({ releasedAt: clockTimestamp }) })
      )
      yield* Queue.take(released)
      yield* once((t) => t.delete(leases, { where: (row) => eq(row.key, "one") }))
      yield* Queue.take(released)
      assert.strictEqual(yield* Queue.size(due), 0)
    }
  ),

  "hints at what was written, and is followed": Effect.gen(function* () {
    const feed = yield* Feed
    const hints = yield* feed.hints
    // The first says that somebody listens.
    yield* Queue.take(hints)
    yield* put(1, 1)
    yield* Queue.take(hints)
    const replica = new Replica()
    const following = follow({
      tables,
      onListing: (listing) => Effect.sync(() => replica.list(listing, tables)),
      onBatch: ({ changes }) => Effect.sync(() => replica.apply(changes))
    })
    yield* Effect.forkScoped(following)
    yield* put(2, 2)
    yield* once((t) => t.delete(accounts, { where: (row) => eq(row.id, 1) }))
    while (Array.from(replica.rows.keys()).join() !== "accounts 2") yield* Effect.sleep("5 millis")
  })
}
