import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Reactivity from "effect/reactivity/Reactivity"
import type { SqlError } from "effect/sql/SqlError"
import type { Duplex } from "node:stream"
import { fieldsOf } from "./Backend.ts"
import { type EmbeddedDatabase, make } from "./EmbeddedDatabase.ts"
import { type Frame, concat, cstring, frame, framesOf, int32 } from "./Frames.ts"
import * as Frontend from "./Frontend.ts"
import { Multiplexer, type Session } from "./Multiplexer.ts"
import * as Pglite from "./Pglite.ts"

class Embedded extends Context.Service<Embedded, EmbeddedDatabase>()("test/Embedded") {}

/** A connection of one's own. */
const connect = (startupParameters: Readonly<Record<string, string>> = {}) =>
  Effect.flatMap(Embedded, ({ connection }) => PgConnection.make({ ...connection, startupParameters }))

const client = (options: Partial<PgClient.PgPoolConfig> = {}) =>
  Effect.flatMap(Embedded, ({ connection }) => PgClient.make({ ...connection, ...options })).pipe(
    Effect.provide(Reactivity.layer)
  )

const startup = (parameters: Readonly<Record<string, string>> = {}) =>
  frame(
    "",
    int32(196_608),
    ...Object.entries({ user: "postgres", ...parameters })
      .flat()
      .map(cstring),
    new Uint8Array(1)
  )

/** A connection without a driver, welcomed. */
const openWith = (parameters: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const stream = (yield* Embedded).connection.stream()
    stream.write(startup(parameters))
    yield* Effect.callback<void>((resume) => void stream.once("data", () => resume(Effect.void)))
    return stream
  })
const open = openWith()

/** The types of the messages that it hears from here on, until there are as many. */
const hears = (stream: Duplex, count: number) =>
  Effect.callback<string>((resume) => {
    const pieces: Array<Uint8Array> = []
    const onData = (piece: Uint8Array) => {
      pieces.push(piece)
      const types = framesOf(concat(pieces)).map(({ type }) => type)
      if (types.length < count) return
      stream.off("data", onData)
      resume(Effect.succeed(types.join("")))
    }
    stream.on("data", onData)
  })

const parse = (text: string, name = "") => frame("P", cstring(name), cstring(text), new Uint8Array(2))
const bind = (name = "") => frame("B", cstring(""), cstring(name), new Uint8Array(6))
const execute = frame("E", cstring(""), int32(0))
const flush = frame("H")
/** Answered with "12DC", and "Z" after a SYNC. */
const select = concat([parse("select 1"), bind(), execute])

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
        leaving.write(concat([parse("insert into unsynced values (1)"), bind(), execute, flush]))
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

    const flushed: ReadonlyArray<readonly [string, ReadonlyArray<Uint8Array>]> = [
      [
        "with what follows already sent",
        [
          concat([
            select,
            flush,
            select,
            flush,
            Frontend.query("select 2"),
            select,
            Frontend.sync(),
            Frontend.query("select 3")
          ])
        ]
      ],
      [
        "and the rest comes later",
        [
          concat([select, flush]),
          concat([select, flush, Frontend.query("select 2")]),
          concat([select, Frontend.sync(), Frontend.query("select 3")])
        ]
      ]
    ]
    for (const [title, writes] of flushed) {
      it.effect(`who is given up after a FLUSH hears nothing more until its SYNC, ${title}`, () =>
        Effect.gen(function* () {
          const owner = yield* connect()
          yield* run(owner, "begin", "select 1")
          const waiting = yield* openWith({ lock_timeout: "20" })
          const [first, ...rest] = writes
          const told = yield* begin(hears(waiting, 1))
          waiting.write(first)
          const begun = yield* Fiber.join(told)
          yield* run(owner, "commit")
          const answer = yield* begin(hears(waiting, 6 - begun.length))
          for (const bytes of rest) waiting.write(bytes)
          assert.strictEqual(begun + (yield* Fiber.join(answer)), "EZTDCZ")
          waiting.destroy()
        }).pipe(Effect.scoped)
      )
    }

    it.effect("an error after a FLUSH is followed by nothing until the SYNC, and that is answered once", () =>
      Effect.gen(function* () {
        const stream = yield* open
        const heard = yield* begin(hears(stream, 6))
        for (const bytes of [
          concat([parse("selec 1"), flush]),
          concat([select, flush]),
          Frontend.query("select 2"),
          concat([select, Frontend.sync()]),
          Frontend.query("select 3")
        ]) {
          stream.write(bytes)
        }
        assert.strictEqual(yield* Fiber.join(heard), "EZTDCZ")
        stream.destroy()
      }).pipe(Effect.scoped)
    )

    it.effect("whose next statement waits for another's transaction than the last waits no longer than it likes", () =>
      Effect.gen(function* () {
        const [first, second] = [yield* connect(), yield* connect()]
        const stream = yield* openWith({ lock_timeout: "300" })
        yield* run(first, "begin", "select 1")
        const heard = yield* begin(hears(stream, 6))
        stream.write(concat([Frontend.query("select 1"), Frontend.query("select 2")]))
        // Behind the one and before the other.
        const next = yield* begin(run(second, "begin"))
        yield* run(first, "commit")
        yield* Fiber.join(next)
        assert.strictEqual(yield* Effect.timeout(Fiber.join(heard), "10 seconds"), "TDCZEZ")
        yield* run(second, "commit")
        stream.destroy()
      }).pipe(Effect.scoped)
    )

    for (const text of ["deallocate all", "discard all"]) {
      it.effect(`${text} is about the statements and channels of its own connection`, () =>
        Effect.gen(function* () {
          const pool = yield* client()
          const news = yield* pool.listen("kept")
          const [first, second] = [yield* open, yield* open]
          const prepared = yield* begin(hears(first, 2))
          first.write(concat([parse("select 1", "mine"), Frontend.sync()]))
          yield* Fiber.join(prepared)
          const forgotten = yield* begin(hears(second, 2))
          second.write(Frontend.query(text))
          assert.include(yield* Fiber.join(forgotten), "CZ")
          const used = yield* begin(hears(first, 4))
          first.write(concat([bind("mine"), execute, Frontend.sync()]))
          assert.strictEqual(yield* Fiber.join(used), "2DCZ")
          yield* pool.notify("kept", "heard")
          assert.strictEqual((yield* Effect.timeout(Queue.take(news), "10 seconds")).payload, "heard")
          first.destroy()
          second.destroy()
        }).pipe(Effect.scoped)
      )
    }

    it.effect("nothing that it has prepared outlives a connection, not even what it failed to close", () =>
      Effect.gen(function* () {
        const watcher = yield* connect()
        const count = valuesOf(watcher, "select count(*)::int from pg_prepared_statements where name like '%leaking'")
        const stream = yield* open
        const heard = yield* begin(hears(stream, 4))
        stream.write(concat([parse("select 1", "leaking"), Frontend.sync()]))
        stream.write(concat([parse("selec 1"), Frontend.closeStatement("leaking"), Frontend.sync()]))
        assert.strictEqual(yield* Fiber.join(heard), "1ZEZ")
        assert.deepStrictEqual(yield* count, [1])
        stream.destroy()
        yield* Effect.repeat(count, {
          until: ([left]) => left === 0,
          schedule: Schedule.spaced("5 millis"),
          times: 200
        })
        assert.deepStrictEqual(yield* count, [0])
      }).pipe(Effect.scoped)
    )

    it.effect("COPY from the client is refused, and dooms its transaction like any error", () =>
      Effect.gen(function* () {
        const connection = yield* connect()
        yield* run(connection, "create table copied (id int)")
        const stream = yield* open
        for (const [bytes, types] of [
          [Frontend.query("/* load */ copy copied from stdin"), "EZ"],
          [concat([parse("copy copied (id) from stdin"), bind(), execute, Frontend.sync()]), "12EZ"],
          [
            concat([Frontend.query("begin"), Frontend.query("copy copied from stdin"), Frontend.query("select 1")]),
            "CZEZEZ"
          ],
          [Frontend.query("rollback"), "CZ"]
        ] as const) {
          const heard = yield* begin(hears(stream, types.length))
          stream.write(bytes)
          assert.strictEqual(yield* Fiber.join(heard), types)
        }
        yield* failsWith(connection.query("copy copied from stdin"), "0A000")
        assert.deepStrictEqual(yield* valuesOf(connection, "select count(*)::int from copied"), [0])
        stream.destroy()
      }).pipe(Effect.scoped)
    )

    it.effect("a channel's name that is too long is cut as Postgres does", () =>
      Effect.gen(function* () {
        const name = "x".repeat(62)
        const stream = yield* open
        const listening = yield* begin(hears(stream, 3))
        stream.write(Frontend.query(`listen "${name}äöü"`))
        assert.strictEqual(yield* Fiber.join(listening), "NCZ", "with a notice")
        const heard = yield* begin(hears(stream, 1))
        yield* (yield* client()).notify(name, "cut")
        assert.strictEqual(yield* Effect.timeout(Fiber.join(heard), "10 seconds"), "A")
        stream.destroy()
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

/** A multiplexer on a PGlite of one's own, which fails when it is told to; timers ring by hand. */
const fragile = Effect.gen(function* () {
  const pglite = yield* Effect.acquireRelease(
    Effect.promise(() => Pglite.open()),
    (pglite) => Effect.promise(() => pglite.close())
  )
  const state = { isBroken: false, timers: new Set<() => void>(), failures: [] as Array<unknown> }
  const multiplexer = new Multiplexer({
    execute: (messages) => {
      if (state.isBroken) throw new Error("out of memory")
      return pglite.execute(messages)
    },
    failed: (error) => void state.failures.push(error),
    after: (_millis, run) => {
      state.timers.add(run)
      return () => void state.timers.delete(run)
    },
    secret: () => 7
  })
  const connected = (parameters: Readonly<Record<string, string>>) => {
    const heard: Array<Frame> = []
    let isOver = false
    const session = multiplexer.connect({
      send: (bytes) => void heard.push(...framesOf(bytes)),
      end: () => {
        isOver = true
      }
    })
    session.receive(startup(parameters))
    const last = () => {
      const fatal = heard.findLast(({ type }) => type === "E")
      return fatal === undefined ? undefined : fieldsOf(fatal)
    }
    return { session, last, isOver: () => isOver }
  }
  return { state, connected }
})

describe("a PGlite that fails", () => {
  type Meets = (world: {
    readonly owner: Session
    readonly ring: () => void
    readonly connected: (parameters: Readonly<Record<string, string>>) => unknown
  }) => void
  const ways: Readonly<Record<string, Meets>> = {
    "in a statement": ({ owner }) => owner.receive(Frontend.query("select 1")),
    "when a silent transaction is ended by a timer": ({ ring }) => ring(),
    "when its owner leaves": ({ owner }) => owner.left(),
    "when its owner says goodbye": ({ owner }) => owner.receive(frame("X"))
  }
  for (const [title, meets] of Object.entries(ways)) {
    it.effect(
      `tells every connection and its host once, and throws at nobody: ${title}`,
      () =>
        Effect.gen(function* () {
          const { connected, state } = yield* fragile
          const owner = connected({ idle_in_transaction_session_timeout: "1000" })
          const [waiting, idle] = [connected({}), connected({})]
          owner.session.receive(Frontend.query("begin"))
          waiting.session.receive(Frontend.query("select 1"))
          state.isBroken = true
          meets({ owner: owner.session, connected, ring: () => state.timers.forEach((run) => run()) })
          for (const { isOver, last } of [waiting, idle]) {
            assert.isTrue(isOver())
            const { C, M, V } = last() ?? {}
            assert.deepStrictEqual([V, C, M], ["FATAL", "57P02", "the embedded database has failed: out of memory"])
          }
          assert.strictEqual(state.failures.length, 1)
          const late = connected({})
          assert.strictEqual(late.last()?.["C"], "57P02")
          waiting.session.left()
          assert.strictEqual(state.failures.length, 1)
        }).pipe(Effect.scoped),
      60_000
    )
  }

  it.effect(
    "throws what its host throws when it is told",
    () =>
      Effect.gen(function* () {
        const { connected, state } = yield* fragile
        const { session } = connected({})
        state.isBroken = true
        state.failures.push = (error) => {
          throw error
        }
        assert.throws(() => session.receive(Frontend.query("select 1")), "out of memory")
      }).pipe(Effect.scoped),
    60_000
  )
})
