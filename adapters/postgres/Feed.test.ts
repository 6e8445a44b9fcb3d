/** The change feed on real Postgres: the stories that other orders fail, and concurrent writers whatever they do. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import * as fc from "fast-check"
import { follow } from "../../core/feed/follow.ts"
import { type Change, type Cursor, Feed } from "../../core/ports/Feed.ts"
import { Replica } from "../../core/ports/Replica.fixture.ts"
import { clockTimestamp, eq } from "../../core/ports/Condition.ts"
import { Storage, leases } from "../../core/ports/Storage.ts"
import { integer, make, nullable, text, timestamp } from "../../core/ports/Table.ts"
import { database, databaseOn, run, skipped } from "./Database.fixture.ts"
import { type Connection, make as makeServer } from "./EmbeddedPostgres.ts"
import * as FeedClient from "./FeedClient.ts"
import * as PostgresFeed from "./Feed.ts"
import { channel } from "./hintPayload.ts"
import * as FeedContract from "./FeedContract.fixture.ts"
import * as FeedHints from "./FeedHints.ts"
import { changesTable, createFeed, recordChangesOf } from "./FeedSchema.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { createSchema } from "./Schema.ts"

const things = make("things", { columns: { id: integer, value: integer }, primaryKey: ["id"] })
const moments = make("moments", {
  columns: { place: text, at: timestamp, note: nullable(text) },
  primaryKey: ["place", "at"]
})
const tables = [things, moments]

const schema = [
  "create table things (id bigint primary key, value bigint not null)",
  "create table moments (place text, at timestamptz, note text, primary key (place, at))",
  ...createFeed,
  ...tables.flatMap(recordChangesOf)
]

/** Says a statement and gives its rows. */
type Say = (statement: string) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>>

interface Stage {
  readonly connection: Connection
  readonly feed: typeof Feed.Service
  /** A new session. */
  readonly session: Effect.Effect<Say>
}

const sessionOn = (connection: Connection): Effect.Effect<Say, never, Scope.Scope> =>
  Effect.map(
    Effect.orDie(PgConnection.make(connection)),
    (session) => (statement) => Effect.orDie(Effect.map(session.query(statement, [], false), ({ rows }) => rows))
  )

const feedOn = (connection: Connection, options: Omit<PostgresFeed.FeedOptions, "tables"> = {}) =>
  Effect.map(
    Layer.build(PostgresFeed.layer({ tables, ...options }).pipe(Layer.provide(FeedClient.layer({ connection })))),
    (context) => Context.get(context, Feed)
  )

const stageOn = (connection: Connection) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const session = Effect.provideService(sessionOn(connection), Scope.Scope, scope)
    const say = yield* session
    for (const statement of schema) yield* say(statement)
    return { connection, session, feed: yield* feedOn(connection) } satisfies Stage
  })

/** Of all stories here, each of which has a database of its own. */
let server: Connection
const serverScope = Scope.makeUnsafe()

const story = <A, E>(tell: (stage: Stage) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    return yield* tell(yield* stageOn(yield* databaseOn(server)))
  })

/**
 * Waits until every transaction of the server that began before has ended, in whatever database, for others may be at work
 * there: as long as they are, nothing younger is forgotten. Gives the id of a transaction that is younger than these and has ended.
 */
const settled = (say: Say) =>
  Effect.gen(function* () {
    const [{ id }] = (yield* say("select pg_current_xact_id()::text as id")) as [{ readonly id: string }]
    const younger = say(`select pg_snapshot_xmin(pg_current_snapshot()) > '${id}'::xid8 as "isSettled"`)
    yield* untilSaid(younger, ([row]) => row!["isSettled"] === true)
    return id
  })

const valuesOf = (changes: ReadonlyArray<Change>) =>
  changes.map(({ after, key }) => `${key}:${after === null ? "-" : String(after["value"])}`)

/** Everything from the cursor on, in batches of this size. */
const drain = (feed: typeof Feed.Service, cursor: Cursor, changesMax: number, replica: Replica) =>
  Effect.gen(function* () {
    let at = cursor
    while (true) {
      const batch = yield* feed.poll(at, { changesMax })
      replica.apply(batch.changes)
      at = batch.cursor
      if (batch.isComplete) return at
    }
  })

describe.skipIf(skipped())("on a real server", () => {
  const scope = Scope.makeUnsafe()
  let connection: Connection

  beforeAll(async () => {
    connection = await Effect.runPromise(Scope.provide(database, scope))
    const recorded = FeedContract.tables.flatMap(recordChangesOf)
    await Effect.runPromise(run(connection, ...createSchema(FeedContract.tables), ...createFeed, ...recorded))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  FeedContract.feedContract("real Postgres", (program) =>
    Effect.gen(function* () {
      yield* run(connection, `truncate ${FeedContract.tables.map(({ name }) => name).join(", ")}`)
      const client = FeedClient.layer({ connection })
      const storage = PostgresStorage.layer({ connection, tables: FeedContract.tables })
      const both = Layer.merge(
        PostgresFeed.layer({ tables: FeedContract.tables }),
        FeedHints.layer.pipe(Layer.provide(storage))
      )
      const settles = Effect.scoped(Effect.flatMap(sessionOn(connection), settled))
      yield* Effect.scoped(program).pipe(
        Effect.provide(Layer.provide(both, client)),
        Effect.provideService(FeedContract.Settled, Effect.asVoid(settles))
      )
    })
  )
})

describe("the change feed, asking a server that has fallen silent", () => {
  it.effect("waits no longer than its limit, nor for the driver, which waits for the server to cancel", () =>
    Effect.gen(function* () {
      let cancelled = 0
      const client = Layer.succeed(PgClient.PgClient, {
        unsafe: () =>
          Effect.onInterrupt(Effect.never, () => {
            cancelled++
            return Effect.never
          })
      } as unknown as PgClient.PgClient)
      const context = yield* Layer.build(
        PostgresFeed.layer({ tables, answerTimeoutMillis: 300 }).pipe(Layer.provide(client))
      )
      const asking = yield* Effect.forkChild(Effect.flip(Context.get(context, Feed).list(tables)))
      yield* TestClock.adjust("300 millis")
      const exit = asking.pollUnsafe()
      assert.deepInclude(exit === undefined ? {} : yield* Effect.map(exit, ({ reason }) => reason), {
        _tag: "Unavailable",
        detail: "no answer in time"
      })
      assert.strictEqual(cancelled, 2, "the question, and the forgetting beside it")
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(skipped())("the change feed of Postgres", () => {
  beforeAll(async () => {
    server = await Effect.runPromise(Scope.provide(database, serverScope))
  })
  afterAll(() => Effect.runPromise(Scope.close(serverScope, Exit.void)))

  it.live("gives what was committed, as it was stored, and nothing else", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        yield* say("insert into things values (1, 10)")
        const listing = yield* feed.list(tables)
        assert.deepStrictEqual(listing.rows, [{ table: "things", row: { id: 1, value: 10 } }])
        yield* say("begin")
        yield* say(`set local stormglass.fences = '[{"lease":"leader","epoch":3}]'`)
        yield* say("/* lease/renew */ update things set value = 11")
        yield* say("insert into moments values ('here', '2026-11-21 10:00:00.000001+02', null)")
        yield* say("commit")
        yield* say("begin")
        yield* say("update things set value = 99")
        yield* say("rollback")
        yield* say("delete from things")
        const batch = yield* feed.poll(listing.cursor)
        const [renewed, inserted, deleted] = batch.changes
        assert.strictEqual(batch.changes.length, 3)
        const fences = [{ lease: "leader", epoch: 3 }]
        assert.deepInclude(renewed, { key: "1", before: { id: 1, value: 10 }, after: { id: 1, value: 11 }, fences })
        assert.strictEqual(renewed!.label, "lease/renew")
        const at = Date.UTC(2026, 10, 21, 8) * 1_000 + 1
        assert.deepInclude(inserted, { table: "moments", key: `here/${at}`, before: null })
        assert.deepStrictEqual(inserted!.after, { place: "here", at, note: null })
        assert.strictEqual(inserted!.transactionId, renewed!.transactionId)
        assert.deepInclude(deleted, { before: { id: 1, value: 11 }, after: null, label: "", fences: [] })
        assert.isAbove(deleted!.atMicros, renewed!.atMicros)
        assert.deepStrictEqual((yield* feed.poll(batch.cursor)).changes, [])
      })
    )
  )

  it.live("takes what it cannot read for a defect, which whoever follows must not ask for again and again", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        yield* say("drop table stormglass_changes_floor")
        // A number that is none: Postgres 14 and 15 read any text as an `xid8`, the words of a date as 0.
        yield* say(
          "create view stormglass_changes_floor as select ('no number ' || clock_timestamp())::bigint::text::xid8 as xid, null::text as restored"
        )
        const exit = yield* Effect.exit(feed.list(tables))
        assert.isTrue(Exit.hasDies(exit), String(exit))
      })
    )
  )

  it.live("is not misled by a sequence: who drew first may commit last", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const [first, second, reader] = [yield* session, yield* session, yield* session]
        const { cursor } = yield* feed.list(tables)
        yield* first("begin")
        yield* first("insert into things values (1, 41)")
        yield* second("insert into things values (2, 42)")
        const batch = yield* feed.poll(cursor)
        const [{ last }] = (yield* reader(`select max(position)::int as last from ${changesTable}`)) as [
          { last: number }
        ]
        yield* first("commit")
        const missed = yield* reader(`select 1 from ${changesTable} where position > ${last}`)
        assert.deepStrictEqual(missed, [], "who asks for higher positions never sees it")
        const next = yield* feed.poll(batch.cursor)
        assert.deepStrictEqual([valuesOf(batch.changes), valuesOf(next.changes)], [["2:42"], ["1:41"]])
      })
    )
  )

  it.live("is not misled by the ids of transactions: an older one may write a row after a younger one", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const [older, between, younger, reader] = [yield* session, yield* session, yield* session, yield* session]
        yield* reader("insert into things values (1, 0), (2, 0)")
        const { cursor } = yield* feed.list(tables)
        const window = (from: string) =>
          Effect.map(
            reader(
              `select pg_snapshot_xmin(pg_current_snapshot())::text as watermark, (
                 select array_agg(c.after->>'value' order by position)::text from ${changesTable} c
                 where c.after->>'id' = '1' and xid >= '${from}' and xid < pg_snapshot_xmin(pg_current_snapshot())
               ) as given`
            ),
            ([row]) => row as { readonly watermark: string; readonly given: string | null }
          )
        yield* settled(reader)
        const start = yield* window("3")
        yield* older("begin")
        yield* older("update things set value = 1 where id = 2")
        yield* between("begin")
        const [{ id }] = (yield* between("select pg_current_xact_id()::text as id")) as [{ readonly id: string }]
        yield* younger("update things set value = 10 where id = 1")
        yield* older("update things set value = 20 where id = 1")
        yield* older("commit")
        const first = yield* untilSaid(window(start.watermark), ({ watermark }) => watermark === id)
        const batch = yield* feed.poll(cursor)
        yield* between("commit")
        yield* settled(reader)
        const second = yield* window(first.watermark)
        assert.deepStrictEqual([first.given, second.given], ["{20}", "{10}"], "the table holds 20")
        assert.deepStrictEqual(valuesOf(batch.changes), ["2:1", "1:10", "1:20"])
        assert.deepStrictEqual((yield* feed.poll(batch.cursor)).changes, [])
      })
    )
  )

  it.live(
    "tells a primary key that changes as a deletion and an insertion, and truncate as the deletion of every row",
    () =>
      story(({ feed, session }) =>
        Effect.gen(function* () {
          const say = yield* session
          const { cursor } = yield* feed.list(tables)
          yield* say("insert into things select id, id from generate_series(3, 1, -1) id")
          yield* say("update things set id = id + 1")
          const batch = yield* feed.poll(cursor)
          const replica = new Replica()
          replica.apply(batch.changes)
          assert.deepStrictEqual(Array.from(replica.rows.keys()).toSorted(), ["things 2", "things 3", "things 4"])
          yield* say("truncate things")
          replica.apply((yield* feed.poll(batch.cursor)).changes)
          assert.deepStrictEqual(replica.sorted, [])
        })
      )
  )

  it.live("forgets what is old: an older cursor is told to list again, the newest goes on", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        const old = (yield* feed.list(tables)).cursor
        yield* say("insert into things values (1, 1), (2, 2)")
        yield* settled(say)
        const { cursor } = yield* feed.poll(old)
        const held = yield* session
        yield* held("begin")
        yield* held("update things set value = 3 where id = 1")
        assert.strictEqual(yield* feed.compact({ olderThanMillis: 3_600_000 }), 0)
        assert.strictEqual(yield* feed.compact({ olderThanMillis: -1_000 }), 2)
        assert.strictEqual((yield* Effect.flip(feed.poll(old))).reason._tag, "Compacted")
        yield* held("commit")
        assert.deepStrictEqual(valuesOf((yield* feed.poll(cursor)).changes), ["1:3"])
        const again = yield* feed.list(tables)
        assert.deepStrictEqual(again.rows.length, 2)
        assert.deepStrictEqual((yield* feed.poll(again.cursor)).changes, [])
      })
    )
  )

  it.live("forgets by itself what was kept for long enough, on several nodes at once, and not what is younger", () =>
    story(({ connection, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        yield* say("insert into things select id, 0 from generate_series(1, 12000) id")
        yield* say("update things set value = 1")
        yield* say(`update ${changesTable} set at = at - interval '1 hour'`)
        yield* say("insert into things values (0, 0)")
        yield* settled(say)
        const left = Effect.map(say(`select count(*)::int as count from ${changesTable}`), ([row]) => row!["count"])
        yield* Effect.all(
          [1, 2, 3].map(() => feedOn(connection, { keptMillis: 1_800_000 })),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(yield* untilSaid(left, (count) => count === 1), 1)
      })
    )
  )

  it.live("does not begin when what it is to keep is less than who follows needs", () =>
    story(({ connection }) =>
      Effect.gen(function* () {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(feedOn(connection, { keptMillis: 10 }))))
      })
    )
  )

  it.live("forgets nothing young, though the transaction that wrote it is older than one whose changes are old", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const [say, older] = [yield* session, yield* session]
        yield* older("begin")
        yield* older("select pg_current_xact_id()::text")
        yield* say("insert into things values (1, 1)")
        yield* say(`update ${changesTable} set at = at - interval '1 hour'`)
        yield* older("insert into things values (2, 2)")
        yield* older("commit")
        assert.strictEqual(yield* feed.compact({ olderThanMillis: 1_800_000 }), 0)
        yield* say(`update ${changesTable} set at = at - interval '1 hour'`)
        yield* settled(say)
        assert.strictEqual(yield* feed.compact({ olderThanMillis: 1_800_000 }), 2)
      })
    )
  )

  it.live("forgets nothing that is younger than a transaction under way, though that is of another database", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        const elsewhere = yield* Effect.flatMap(databaseOn(server), sessionOn)
        const { cursor } = yield* feed.list(tables)
        yield* elsewhere("begin")
        yield* elsewhere("select pg_current_xact_id()::text")
        yield* say("insert into things values (1, 1)")
        assert.strictEqual(yield* feed.compact({ olderThanMillis: -1_000 }), 0)
        assert.deepStrictEqual(valuesOf((yield* feed.poll(cursor)).changes), ["1:1"], "but gives it")
        yield* elsewhere("commit")
        yield* settled(say)
        assert.strictEqual(yield* feed.compact({ olderThanMillis: -1_000 }), 1)
      })
    )
  )

  it.live("waits no longer than its limit for an answer, and can be asked again; of no table it lists nothing", () =>
    story(({ connection, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        const feed = yield* feedOn(connection, { answerTimeoutMillis: 300 })
        const { cursor, rows } = yield* feed.list([])
        assert.deepStrictEqual(rows, [])
        yield* say("begin")
        yield* say(`lock table ${changesTable} in access exclusive mode`)
        const { reason } = yield* Effect.flip(feed.poll(cursor))
        assert.deepInclude(reason, { _tag: "Unavailable", detail: "no answer in time" })
        yield* say("commit")
        yield* say("insert into things values (1, 1)")
        assert.deepStrictEqual(valuesOf((yield* feed.poll(cursor)).changes), ["1:1"])
      })
    )
  )

  it.live("refuses a cursor of another database, and what is no cursor", () =>
    story(({ feed }) =>
      Effect.gen(function* () {
        const other = yield* Effect.flatMap(databaseOn(server), stageOn)
        const { cursor } = yield* other.feed.list(tables)
        for (const foreign of [cursor, "", "abc", Buffer.from(`{"version":1}`).toString("base64url")]) {
          assert.strictEqual((yield* Effect.flip(feed.poll(foreign))).reason._tag, "ForeignCursor")
        }
      })
    )
  )

  it.live("listens, and listens again after its session has died", () =>
    story(({ feed, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        const hints = yield* feed.hints
        yield* Queue.take(hints)
        // Of a program that does not say what it is about: it may be about anything.
        const due = yield* feed.hintsOf("due")
        yield* Queue.take(due)
        yield* say(`notify ${channel}`)
        yield* Queue.take(due)
        yield* Queue.take(hints)
        yield* say(
          "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' and datname = current_database()"
        )
        // Says so by itself: something may have been lost meanwhile.
        yield* Queue.take(hints)
        yield* say(`notify ${channel}`)
        yield* Queue.take(hints)
      })
    )
  )

  // covers A21
  it.live("hears of a release from the transaction that made it, whoever else tells of what was written", () =>
    story(({ connection, feed }) =>
      Effect.gen(function* () {
        const released = yield* feed.hintsOf("released")
        yield* Queue.take(released)
        yield* run(connection, ...createSchema([leases]))
        const context = yield* Layer.build(PostgresStorage.layer({ connection, tables: [leases] }))
        const { once } = Context.get(context, Storage)
        const lease = { holder: "a", epoch: 1, acquiredAt: 1, renewedAt: 1, expiresAt: 2, releasedAt: null }
        yield* once((t) => t.insert(leases, { ...lease, key: "told" }), { label: "lease/acquire" })
        const release = once(
          (t) => t.update(leases, { where: (row) => eq(row.key, "told"), set: () => ({ releasedAt: clockTimestamp }) }),
          { label: "lease/release" }
        )
        assert.lengthOf(yield* release, 1)
        yield* Queue.take(released)
      })
    )
  )

  it.live("takes few sessions, however many follow and ask at once, and each gives up in time", () =>
    story(({ connection, session }) =>
      Effect.gen(function* () {
        const say = yield* session
        const context = yield* Layer.build(
          Layer.merge(
            PostgresFeed.layer({ tables }),
            FeedHints.layer.pipe(Layer.provide(PostgresStorage.layer({ connection, tables })))
          ).pipe(Layer.provideMerge(FeedClient.layer({ connection: { ...connection, applicationName: "counted" } })))
        )
        const [feed, storage] = [Context.get(context, Feed), Context.get(context, Storage)]
        const followers = yield* Effect.all(Array.from({ length: 5 }, () => feed.hints))
        for (const hints of followers) yield* Queue.take(hints)
        yield* storage.once((t) => t.insert(things, { id: 1, value: 1 }), { label: "insert" })
        for (const hints of followers) yield* Queue.take(hints)
        const late = yield* feed.hints
        yield* Queue.take(late)
        const listings = Array.from({ length: 20 }, () => feed.list(tables))
        for (const { rows } of yield* Effect.all(listings, { concurrency: "unbounded" })) assert.lengthOf(rows, 1)
        // Fewer, where a session answers all before the next has opened.
        const sessions = yield* say(`select count(*) <= ${FeedClient.feedSessionsMax} as "areFew",
          count(*) filter (where query ilike 'listen%')::int as listening
          from pg_stat_activity where application_name = 'counted' and datname = current_database()`)
        assert.deepStrictEqual(sessions, [{ areFew: true, listening: 1 }])
        const [limits] = yield* Context.get(context, PgClient.PgClient).unsafe(`select
          current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
          current_setting('idle_in_transaction_session_timeout') as idle`)
        assert.deepStrictEqual(limits, { statement: "10s", lock: "750ms", idle: "1s" })
      })
    )
  )

  it.live(
    "is followed across dead listeners and forgotten changes, with hints from whoever writes through the port",
    () =>
      story(({ connection, feed, session }) =>
        Effect.gen(function* () {
          const say = yield* session
          const replica = new Replica()
          const told = { listings: 0, batches: 0 }
          const following = follow({
            tables,
            onListing: (listing) => Effect.sync(() => (told.listings++, replica.list(listing, tables))),
            onBatch: ({ changes }) => Effect.sync(() => (told.batches++, replica.apply(changes)))
          })
          yield* Effect.forkScoped(Effect.provideService(following, Feed, feed))
          const storage = FeedHints.layer.pipe(
            Layer.provide(PostgresStorage.layer({ connection, tables })),
            Layer.provide(FeedClient.layer({ connection }))
          )
          const { once, transaction } = Context.get(yield* Layer.build(storage), Storage)
          const insert = (id: number) => once((t) => t.insert(things, { id, value: 0 }), { label: "insert" })
          const knows = (rows: number) => until(() => replica.rows.size === rows)
          yield* insert(1)
          yield* knows(1)
          yield* say(
            "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%' and datname = current_database()"
          )
          yield* transaction((t) => Effect.andThen(t.insert(things, { id: 2, value: 0 }), t.get(things, { id: 1 })), {
            label: "insert"
          })
          yield* knows(2)
          assert.strictEqual(told.listings, 1)
          // As if nobody had followed for as long as changes are kept.
          yield* say(`update stormglass_changes_floor set xid = '${yield* settled(say)}'`)
          yield* insert(3)
          yield* knows(3)
          assert.strictEqual(told.listings, 2)
        })
      )
  )

  it.live(
    "gives every row's changes in the order of their commits, once, to readers of all paces",
    () =>
      story((stage) =>
        Effect.gen(function* () {
          const promise = Effect.runPromiseWith(yield* Effect.context<never>())
          yield* Effect.promise(() =>
            fc.assert(
              fc.asyncProperty(workloads, (workload) => promise(Effect.scoped(concurrently(stage, workload)))),
              { numRuns: 12, endOnFailure: true }
            )
          )
        })
      ),
    120_000
  )
})

describe.skipIf(skipped({ isControlled: true }))("the change feed of Postgres, across a crash", () => {
  it.live("gives what a transaction wrote whose id was given out before, to one that left no trace", () =>
    Effect.gen(function* () {
      // Nothing but a commit reaches the disk.
      const server = yield* makeServer({ settings: { wal_writer_delay: "10s", bgwriter_delay: "10s" } })
      const before = yield* Scope.make()
      const stage = yield* Scope.provide(stageOn(server.connection), before)
      const lost = yield* stage.session
      yield* lost("insert into things values (1, 0)")
      yield* lost("begin")
      yield* lost("update things set value = 1")
      const [{ id }] = (yield* lost("select pg_current_xact_id()::text as id")) as [{ readonly id: string }]
      yield* lost("rollback")
      const { cursor } = yield* stage.feed.list(tables)
      yield* server.kill
      yield* Scope.close(before, Exit.void)
      yield* server.start
      const say = yield* sessionOn(server.connection)
      const [again] = yield* say("update things set value = 2 returning pg_current_xact_id()::text as id")
      assert.strictEqual(again!["id"], id, "the id was given out again")
      const feed = yield* feedOn(server.connection)
      assert.deepStrictEqual(valuesOf((yield* feed.poll(cursor)).changes), ["1:2"])
    })
  )
})

/** For what another fiber, or the server, does in its own time. */
function until(condition: () => boolean) {
  return untilSaid(Effect.sync(condition), (holds) => holds)
}

function untilSaid<A>(asking: Effect.Effect<A>, holds: (answer: A) => boolean): Effect.Effect<A> {
  return asking.pipe(
    Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: holds }),
    Effect.timeout("20 seconds"),
    Effect.orDie
  )
}

const ids = fc.integer({ min: 1, max: 4 })

/** Statements over four rows that several writers want at once. */
const statements = fc.oneof(
  ids.map((id) => `update things set value = value + 1 where id = ${id}`),
  ids.map((id) => `delete from things where id = ${id}`),
  ids.map((id) => `insert into things values (${id}, 0) on conflict (id) do update set value = things.value + 100`),
  ids.map((id) => `insert into things values (${id}, 1) on conflict do nothing`),
  fc.tuple(ids, ids).map(([from, to]) => `update things set id = ${to} where id = ${from}`),
  fc.constant("update things set value = value + 1"),
  fc.constant("savepoint s"),
  fc.constant("select pg_current_xact_id()::text"),
  fc.integer({ min: 1, max: 6 }).map((millis) => `select pg_sleep(${millis / 1_000})::text`)
)
const transactions = fc.record({
  statements: fc.array(statements, { minLength: 1, maxLength: 5 }),
  ends: fc.constantFrom("commit", "commit", "commit", "rollback")
})
const workloads = fc.array(fc.array(transactions, { minLength: 5, maxLength: 12 }), { minLength: 5, maxLength: 8 })

/** All writers at once, with three readers who follow meanwhile; in the end each of these knows the table. */
const concurrently = (
  { connection, feed, session }: Stage,
  workload: ReadonlyArray<ReadonlyArray<{ readonly statements: ReadonlyArray<string>; readonly ends: string }>>
) =>
  Effect.gen(function* () {
    const say = yield* session
    yield* say("truncate things")
    yield* say("insert into things values (1, 0), (2, 0)")
    const listing = yield* feed.list(tables)
    const writers = { areDone: false }
    const reader = (changesMax: number) =>
      Effect.gen(function* () {
        const replica = new Replica()
        replica.list(listing, tables)
        let { cursor } = listing
        while (!writers.areDone) cursor = yield* drain(feed, cursor, changesMax, replica)
        yield* drain(feed, cursor, changesMax, replica)
        return replica
      })
    const writer = (transactions: (typeof workload)[number]) =>
      Effect.gen(function* () {
        const writes = yield* Effect.orDie(PgConnection.make(connection))
        yield* writes.query("set deadlock_timeout = '10ms'", [], false)
        for (const { ends, statements } of transactions) {
          yield* writes.query("begin", [], false)
          // A duplicate, a deadlock: the transaction ends there.
          const outcome = yield* Effect.exit(Effect.forEach(statements, (it) => writes.query(it, [], false)))
          yield* writes.query(Exit.isSuccess(outcome) ? ends : "rollback", [], false)
        }
      })
    const writing = Effect.ensuring(
      Effect.forEach(workload, writer, { concurrency: "unbounded" }),
      Effect.sync(() => (writers.areDone = true))
    )
    const [, ...replicas] = yield* Effect.all([writing, reader(1), reader(3), reader(1_000)], {
      concurrency: "unbounded"
    })
    const truth = new Replica()
    truth.list(yield* feed.list(tables), tables)
    for (const replica of replicas) assert.deepStrictEqual(replica.sorted, truth.sorted)
    assert.strictEqual(new Set(replicas.map(({ changes }) => changes)).size, 1, "all were given as much")
  })
