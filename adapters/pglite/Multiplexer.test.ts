import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { SqlError } from "effect/sql/SqlError"
import { type EmbeddedDatabase, make } from "./EmbeddedDatabase.ts"
import { concat, cstring, frame, int32 } from "./Frames.ts"
import * as Frontend from "./Frontend.ts"

class Embedded extends Context.Service<Embedded, EmbeddedDatabase>()("test/Embedded") {}

/** A connection of one's own. */
const connect = (startupParameters: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(Embedded, ({ connection }) => PgConnection.make({ ...connection, startupParameters }))

const client = (options: Partial<PgClient.PgPoolConfig> = {}) =>
  Effect.flatMap(Embedded, ({ connection }) => PgClient.make({ ...connection, ...options })).pipe(
    Effect.provide(Reactivity.layer)
  )

/** A connection without a driver, welcomed. */
const open = Effect.gen(function* () {
  const stream = (yield* Embedded).connection.stream()
  stream.write(frame("", int32(196_608), cstring("user"), cstring("postgres"), new Uint8Array(1)))
  yield* Effect.callback<void>((resume) => void stream.once("data", () => resume(Effect.void)))
  return stream
})

const codeOf = (exit: Exit.Exit<unknown, SqlError>): string => {
  if (Exit.isSuccess(exit)) return "success"
  const text = JSON.stringify(exit.cause, (_key, value: unknown) =>
    value instanceof Error ? { ...value, message: value.message } : value
  )
  return /"code":"(\w{5})"/.exec(text)?.[1] ?? text
}

/** Fails with the SQLSTATE that `code` says. */
const failsWith = <R>(effect: Effect.Effect<unknown, SqlError, R>, code: string) =>
  Effect.map(Effect.exit(effect), (exit) => assert.strictEqual(codeOf(exit), code))

const run = (connection: PgConnection.PgConnection, ...texts: ReadonlyArray<string>) =>
  Effect.forEach(texts, (text) => connection.query(text), { discard: true })

const valuesOf = (connection: PgConnection.PgConnection, text: string) =>
  Effect.map(connection.queryValues(text), (rows) => rows.map((row) => row[0]))

/** Begins a statement, which has arrived when this returns: what is written is received at once. */
const begin = <A, E>(statement: Effect.Effect<A, E>) => Effect.forkChild(statement, { startImmediately: true })

layer(Layer.effect(Embedded, make()), { timeout: 60_000, excludeTestServices: true })(
  "connections of an embedded database",
  (it) => {
    it.effect("one in a transaction has the session; the next has its turn when it ends", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* connect(), yield* connect()]
        yield* run(first, "create table turns (id int primary key)", "begin", "insert into turns values (1)")
        const waiting = yield* Effect.forkChild(valuesOf(second, "select id from turns"))
        yield* run(first, "insert into turns values (2)", "commit")
        assert.deepStrictEqual(yield* Fiber.join(waiting), [1, 2])
      }).pipe(Effect.scoped)
    )

    it.effect("who waits too long is told by the limit that ran out, and may go on", () =>
      Effect.gen(function* () {
        const first = yield* connect()
        const patient = yield* connect({ statement_timeout: "40", lock_timeout: "1s" })
        const hasty = yield* connect({ statement_timeout: "1000", lock_timeout: "30ms" })
        yield* run(first, "begin", "select 1")
        yield* failsWith(patient.query("select 1"), "57014")
        yield* failsWith(hasty.query("select 1"), "55P03")
        yield* run(first, "commit")
        assert.deepStrictEqual(yield* valuesOf(hasty, "select 2"), [2])
        assert.deepStrictEqual(yield* valuesOf(patient, "select 2"), [2])
      }).pipe(Effect.scoped)
    )

    it.effect("one that goes away inside a transaction is rolled back", () =>
      Effect.gen(function* () {
        const watcher = yield* connect()
        yield* run(watcher, "create table gone (id int primary key)")
        yield* Effect.scoped(
          Effect.flatMap(connect(), (leaving) => run(leaving, "begin", "insert into gone values (1)"))
        )
        assert.deepStrictEqual(yield* valuesOf(watcher, "select id from gone"), [])
      }).pipe(Effect.scoped)
    )

    it.effect("one that goes away before it has synced leaves nothing behind", () =>
      Effect.gen(function* () {
        const watcher = yield* connect()
        yield* run(watcher, "create table unsynced (id int primary key)")
        const leaving = yield* open
        const parse = frame("P", cstring(""), cstring("insert into unsynced values (1)"), new Uint8Array(2))
        const bind = frame("B", cstring(""), cstring(""), new Uint8Array(6))
        leaving.write(concat([parse, bind, frame("E", cstring(""), int32(0)), frame("H")]))
        leaving.destroy()
        assert.deepStrictEqual(yield* valuesOf(watcher, "select id from unsynced"), [])
      }).pipe(Effect.scoped)
    )

    it.effect("one that goes away while it is answered runs nothing more, and holds nobody up", () =>
      Effect.gen(function* () {
        const [owner, next] = [yield* connect(), yield* connect()]
        yield* run(owner, "begin")
        const leaving = yield* open
        leaving.write(concat([Frontend.query("select 1"), Frontend.query("begin")]))
        leaving.on("data", () => leaving.destroy())
        yield* run(owner, "commit")
        assert.deepStrictEqual(yield* valuesOf(next, "select 2"), [2])
      }).pipe(Effect.scoped)
    )

    it.effect("one that is silent in its transaction is ended, and its locks with it", () =>
      Effect.gen(function* () {
        const watcher = yield* connect()
        const silent = yield* connect({ idle_in_transaction_session_timeout: "30" })
        yield* run(watcher, "create table silence (id int primary key)")
        yield* run(silent, "begin", "insert into silence values (1)")
        assert.deepStrictEqual(yield* valuesOf(watcher, "select id from silence"), [])
        yield* failsWith(silent.query("select 1"), "25P03")
      }).pipe(Effect.scoped)
    )

    it.effect("an error dooms the transaction until it ends", () =>
      Effect.gen(function* () {
        const connection = yield* connect()
        yield* run(connection, "begin")
        yield* failsWith(connection.query("select 1/0"), "22012")
        yield* failsWith(connection.query("select 1"), "25P02")
        yield* run(connection, "rollback")
        assert.deepStrictEqual(yield* valuesOf(connection, "select 1"), [1])
      }).pipe(Effect.scoped)
    )

    it.effect("statements of the same text and name are their connection's own", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* connect(), yield* connect()]
        for (const connection of [first, second, first, second]) {
          const { rows } = yield* connection.query("select $1::int + 1 as sum", [1])
          assert.deepStrictEqual(rows, [{ sum: 2 }])
        }
        const prepared = "select count(*)::int from pg_prepared_statements"
        const [before] = yield* valuesOf(second, prepared)
        yield* Effect.scoped(Effect.flatMap(connect(), (third) => run(third, "select 3", "select 4")))
        assert.deepStrictEqual(yield* valuesOf(second, prepared), [before])
      }).pipe(Effect.scoped)
    )

    it.effect("a setting of one is not a setting of another, and is still there at the next turn", () =>
      Effect.gen(function* () {
        const zone = yield* connect({ timezone: "Europe/Berlin" })
        const [setter, plain] = [yield* connect(), yield* connect()]
        yield* run(setter, "set application_name = 'setter'", "begin", "set local work_mem = '1MB'", "commit")
        const show = (connection: PgConnection.PgConnection) =>
          Effect.map(
            connection.queryValues(
              "select current_setting('application_name'), current_setting('timezone'), current_setting('work_mem')"
            ),
            (rows) => rows[0]
          )
        for (let round = 0; round < 2; round++) {
          assert.deepStrictEqual(yield* show(zone), ["@effect/sql-pg", "Europe/Berlin", "4MB"])
          assert.deepStrictEqual(yield* show(setter), ["setter", "UTC", "4MB"])
          assert.deepStrictEqual(yield* show(plain), ["@effect/sql-pg", "UTC", "4MB"])
        }
      }).pipe(Effect.scoped)
    )

    it.effect("a limit set by SQL holds like one from the startup", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* connect(), yield* connect()]
        yield* run(second, "set lock_timeout = '20ms'")
        yield* run(first, "begin", "select 1")
        yield* failsWith(second.query("select 1"), "55P03")
        yield* run(first, "rollback")
      }).pipe(Effect.scoped)
    )

    it.effect("a startup that asks for what there is not is refused", () =>
      Effect.gen(function* () {
        yield* failsWith(connect({ no_such_setting: "1" }), "42704")
        const other = yield* connect()
        assert.deepStrictEqual(yield* valuesOf(other, "select 1"), [1])
      }).pipe(Effect.scoped)
    )

    it.effect("notifications go to all who listen, and stop with them", () =>
      Effect.gen(function* () {
        const pool = yield* client({ maxConnections: 4 })
        const heard: Array<string> = []
        const hears = (name: string, queue: Queue.Dequeue<PgConnection.Notification, SqlError>) =>
          Effect.map(Queue.take(queue), ({ payload }) => void heard.push(`${name} ${payload}`))
        const first = yield* pool.listen("news")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const second = yield* pool.listen("news")
            yield* pool.notify("news", "one")
            yield* hears("first", first)
            yield* hears("second", second)
          })
        )
        yield* pool.notify("news", "two")
        yield* pool.notify("else", "three")
        yield* hears("first", first)
        assert.deepStrictEqual(heard, ["first one", "second one", "first two"])
        const plain = yield* connect()
        assert.deepStrictEqual(yield* valuesOf(plain, "select pg_listening_channels()"), ["news"])
      }).pipe(Effect.scoped)
    )

    it.effect("LISTEN in a transaction that is rolled back hears nothing", () =>
      Effect.gen(function* () {
        const connection = yield* connect()
        yield* run(connection, "begin", "listen nothing", "rollback")
        assert.deepStrictEqual(yield* valuesOf(connection, "select pg_listening_channels()"), [])
      }).pipe(Effect.scoped)
    )

    it.effect("what waits can be canceled by its own key", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* connect(), yield* connect()]
        yield* run(first, "begin", "select 1")
        const waiting = yield* begin(Effect.exit(second.query("select 1")))
        yield* second.interrupt
        assert.strictEqual(codeOf(yield* Fiber.join(waiting)), "57014")
        yield* run(first, "commit")
      }).pipe(Effect.scoped)
    )

    it.effect("sixteen fibers over four connections lose no update", () =>
      Effect.gen(function* () {
        const sql = yield* client({ maxConnections: 4 })
        yield* sql`create table counters (id int primary key, value int not null)`
        yield* sql`insert into counters values (1, 0)`
        const increment = sql.withTransaction(
          Effect.gen(function* () {
            const [row] = yield* sql<{ readonly value: number }>`select value from counters where id = 1`
            yield* sql`update counters set value = ${(row?.value ?? 0) + 1} where id = 1`
          })
        )
        yield* Effect.forEach(Array.from({ length: 64 }), () => increment, { concurrency: 16, discard: true })
        assert.deepStrictEqual(yield* sql`select value from counters`, [{ value: 64 }])
      }).pipe(Effect.scoped)
    )

    it.effect("an interrupted statement leaves its connection usable", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* connect(), yield* connect()]
        yield* run(first, "begin", "select 1")
        const waiting = yield* begin(second.query("select 1"))
        yield* Fiber.interrupt(waiting)
        yield* run(first, "commit")
        assert.deepStrictEqual(yield* valuesOf(second, "select 5"), [5])
      }).pipe(Effect.scoped)
    )
  }
)
