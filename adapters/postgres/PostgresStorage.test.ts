/** The port on a real server: its laws, and what only a real server can do to a transaction. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import net from "node:net"
import { and, eq, lt, now, subtract } from "../../core/ports/Condition.ts"
import { type Reason, Storage, type StorageError, type Transaction, leases } from "../../core/ports/Storage.ts"
import { type Table, integer, make } from "../../core/ports/Table.ts"
import { database, plainRole, run, skipped } from "./Database.fixture.ts"
import type { Connection } from "./EmbeddedPostgres.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { createSchema } from "./Schema.ts"
import { toSql } from "./Sql.ts"
import { storageContract, tables } from "./StorageContract.fixture.ts"

/** Its transactions cannot commit while somebody holds the advisory lock 77. */
const slow = make("slow", { columns: { id: integer, amount: integer }, primaryKey: ["id"] })

const slowCommit = [
  `create function wait_at_commit() returns trigger language plpgsql as
   $$ begin perform pg_advisory_xact_lock(77); return null; end $$`,
  `create constraint trigger waits after insert on slow deferrable initially deferred
   for each row execute function wait_at_commit()`
]

const patient = {
  statementTimeoutMillis: 20_000,
  lockTimeoutMillis: 20_000,
  idleInTransactionTimeoutMillis: 20_000,
  acquireTimeoutMillis: 10_000,
  answerTimeoutMillis: 30_000
} as const

describe.skipIf(skipped())("on a real server", () => {
  const scope = Scope.makeUnsafe()
  const all = [...tables, slow as unknown as Table<unknown>]
  let connection: Connection
  let plain: Connection

  beforeAll(async () => {
    connection = await Effect.runPromise(Scope.provide(database, scope))
    await Effect.runPromise(run(connection, ...createSchema(all), ...slowCommit))
    plain = await Effect.runPromise(Scope.provide(plainRole(connection), scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const emptied = Effect.suspend(() => run(connection, `truncate ${all.map(({ name }) => name).join(", ")}`))

  /** Runs a program on emptied tables. */
  const story = <A, E>(
    program: Effect.Effect<A, E, Storage>,
    options: Partial<PostgresStorage.PostgresOptions> = {}
  ): Effect.Effect<A, E> =>
    Effect.andThen(
      emptied,
      Effect.suspend(() =>
        Effect.provide(program, PostgresStorage.layer({ connection, tables: all, ...patient, ...options }))
      )
    )

  storageContract("real Postgres", (program, patience) =>
    story(
      program,
      patience === "long"
        ? { connection: plain }
        : {
            connection: plain,
            statementTimeoutMillis: 1_000,
            lockTimeoutMillis: 750,
            idleInTransactionTimeoutMillis: 1_000
          }
    )
  )

  const transact = <A>(body: (t: Transaction) => Effect.Effect<A, StorageError>, label = "story") =>
    Effect.flatMap(Storage, ({ transaction }) => transaction(body, { label }))

  const once = <A>(call: (t: Transaction) => Effect.Effect<A, StorageError>, label = "story") =>
    Effect.flatMap(Storage, (storage) => storage.once(call, { label }))

  const reasonOf = <A, R>(effect: Effect.Effect<A, StorageError, R>): Effect.Effect<Reason, never, R> =>
    Effect.flip(effect).pipe(
      Effect.map(({ reason }) => reason),
      Effect.orDie
    )

  const insert = (t: Transaction) => t.insert(slow, { id: 1, amount: 1 })
  const update = (t: Transaction) => t.update(slow, { where: () => and(), set: () => ({ amount: 2 }) })
  const count = Effect.suspend(() => run(connection, "select count(*)::int from slow")).pipe(
    Effect.map(([row]) => row!["count"])
  )

  /** The process of the one session of which this is true, once there is one. */
  const session = (condition: string): Effect.Effect<number> =>
    Effect.suspend(() =>
      run(
        connection,
        `select pid from pg_stat_activity
         where application_name = 'stormglass' and datname = current_database() and ${condition}`
      )
    ).pipe(
      Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (rows) => rows.length === 1 }),
      Effect.map(([row]) => row!["pid"] as number),
      Effect.timeout("20 seconds"),
      Effect.orDie
    )

  const kill = (pid: number) => Effect.suspend(() => run(connection, `select pg_terminate_backend(${pid}, 10000)`))

  /** Holds something in a session beside the port's until it is told to let go. */
  const holding = (statement: string) =>
    Effect.gen(function* () {
      const isHeld = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        Effect.scoped(
          Effect.gen(function* () {
            const session = yield* PgConnection.make(connection)
            yield* session.query("begin")
            yield* session.query(statement)
            yield* Deferred.succeed(isHeld, undefined)
            yield* Deferred.await(release)
            yield* session.query("rollback")
          })
        )
      )
      yield* Deferred.await(isHeld)
      return { release: Effect.andThen(Deferred.succeed(release, undefined), Fiber.join(fiber)) }
    })

  const commits = "wait_event = 'advisory' and query like '%commit%'"

  describe("a commit", () => {
    it.live("goes on when whoever waits for it is interrupted, who need not wait", () =>
      story(
        Effect.gen(function* () {
          const { release } = yield* holding("select pg_advisory_xact_lock(77)")
          const fiber = yield* Effect.forkChild(transact(insert))
          yield* session(commits)
          yield* Fiber.interrupt(fiber)
          assert.strictEqual(yield* count, 0)
          yield* release
          yield* count.pipe(
            Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (rows) => rows === 1 }),
            Effect.timeout("20 seconds")
          )
        })
      )
    )

    it.live("whose session is killed is unknown, unless nothing was written", () =>
      story(
        Effect.gen(function* () {
          const { release } = yield* holding("select pg_advisory_xact_lock(77)")
          const fiber = yield* Effect.forkChild(reasonOf(transact(insert)))
          yield* kill(yield* session(commits))
          assert.strictEqual((yield* Fiber.join(fiber))._tag, "UnknownOutcome")
          yield* release
          assert.strictEqual(yield* count, 0)
          const idle = "state = 'idle in transaction'"
          const reads = transact((t) => Effect.andThen(t.count(slow), Effect.flatMap(session(idle), kill)))
          assert.strictEqual((yield* reasonOf(reads))._tag, "Unavailable")
        })
      )
    )
  })

  describe("a session that is killed", () => {
    it.live("between two calls has done nothing, and says so to all that follow", () =>
      story(
        Effect.gen(function* () {
          const said: Array<string> = []
          const body = (t: Transaction) =>
            Effect.gen(function* () {
              yield* insert(t)
              yield* kill(yield* session("state = 'idle in transaction'"))
              said.push((yield* reasonOf(t.count(slow)))._tag, (yield* reasonOf(t.count(slow)))._tag)
            })
          assert.strictEqual((yield* reasonOf(transact(body)))._tag, "Unavailable")
          assert.deepStrictEqual(said, ["Unavailable", "Unavailable"])
          assert.strictEqual(yield* count, 0)
          // The next takes another connection.
          yield* once(insert)
        })
      )
    )

    it.live("within once leaves a write unknown, and a read undone", () =>
      story(
        Effect.gen(function* () {
          yield* once(insert)
          const { release } = yield* holding("select * from slow for update")
          const write = yield* Effect.forkChild(reasonOf(once(update)))
          yield* kill(yield* session("wait_event_type = 'Lock' and query like '%update \"slow\"%'"))
          assert.strictEqual((yield* Fiber.join(write))._tag, "UnknownOutcome")
          const read = yield* Effect.forkChild(reasonOf(once((t) => t.select(slow, { lock: "for update" }))))
          yield* kill(yield* session("wait_event_type = 'Lock' and query like '%for update%'"))
          assert.strictEqual((yield* Fiber.join(read))._tag, "Unavailable")
          yield* release
        })
      )
    )
  })

  it.live("a transaction that is longer than the server admits is lost with its session, and has done nothing", () =>
    Effect.gen(function* () {
      const [server] = yield* run(connection, "select current_setting('server_version_num')::int as version")
      if ((server!["version"] as number) < 170_000) return
      const { release } = yield* holding("select pg_advisory_xact_lock(77)")
      yield* Effect.acquireRelease(
        run(connection, `alter database ${connection.database} set transaction_timeout = '300ms'`),
        () => run(connection, `alter database ${connection.database} reset transaction_timeout`)
      )
      const reasons = yield* story(
        Effect.all([reasonOf(transact(insert)), reasonOf(once(insert)), once((t) => t.count(slow))])
      )
      // COMMIT was under way, as the lock is waited for there.
      assert.deepStrictEqual(
        reasons.map((reason) => (typeof reason === "number" ? reason : reason._tag)),
        ["UnknownOutcome", "UnknownOutcome", 0]
      )
      yield* release
    }).pipe(Effect.scoped)
  )

  it.live("a session that has ended before COMMIT is sent has done nothing", () => {
    const closed = Deferred.makeUnsafe<void>()
    const stream = () => {
      const socket = net.connect({ host: connection.host, port: connection.port, noDelay: true })
      return socket.once("close", () => Deferred.doneUnsafe(closed, Effect.void))
    }
    const body = (t: Transaction) =>
      insert(t).pipe(
        Effect.andThen(Effect.flatMap(session("state = 'idle in transaction'"), kill)),
        Effect.andThen(Deferred.await(closed))
      )
    return story(
      Effect.map(reasonOf(transact(body)), ({ _tag }) => assert.strictEqual(_tag, "Unavailable")),
      {
        connection: { ...connection, stream }
      }
    )
  })

  describe("a server that does not answer", () => {
    it.live("ends a call in time: a write is unknown, a read has not happened", () =>
      story(
        Effect.gen(function* () {
          const { release } = yield* holding("lock table slow")
          assert.strictEqual((yield* reasonOf(once(update)))._tag, "UnknownOutcome")
          const read = yield* reasonOf(once((t) => t.count(slow)))
          assert.deepInclude(read, { _tag: "Unavailable", detail: "no answer in time" })
          const reason = yield* reasonOf(transact((t) => update(t)))
          assert.deepInclude(reason, { _tag: "Unavailable", detail: "no answer in time" })
          yield* release
        }),
        { answerTimeoutMillis: 300 }
      )
    )

    /** A network between the port and the server that forwards, until it is told to take everything and deliver nothing. */
    const network = Effect.acquireRelease(
      Effect.callback<{ readonly server: net.Server; readonly state: { isSilent: boolean; swallowed: number } }>(
        (resume) => {
          const state = { isSilent: false, swallowed: 0 }
          const server = net.createServer((caller) => {
            const called = net.connect({ host: connection.host, port: connection.port, noDelay: true })
            const forward = (from: net.Socket, to: net.Socket) => {
              from.on("data", (bytes) => {
                if (state.isSilent) state.swallowed += bytes.length
                else to.write(bytes)
              })
              from.on("error", () => to.destroy())
              from.on("close", () => to.destroy())
            }
            forward(caller, called)
            forward(called, caller)
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed({ server, state })))
        }
      ),
      ({ server }) => Effect.sync(() => server.close())
    )
    const failing = (t: Transaction) => Effect.andThen(insert(t), Effect.die(new Error("of the caller's own")))
    for (const [end, body] of [
      ["COMMIT", insert],
      ["ROLLBACK", failing]
    ] as const) {
      it.live(`does not hold whoever closes the port while ${end} is under way`, () =>
        Effect.gen(function* () {
          yield* emptied
          const { server, state } = yield* network
          const { port } = server.address() as net.AddressInfo
          const scope = yield* Scope.make()
          const options = { ...patient, answerTimeoutMillis: 300, connection: { ...connection, port }, tables: all }
          const context = yield* Layer.buildWithScope(PostgresStorage.layer(options), scope)
          const silence = Effect.sync(() => {
            state.isSilent = true
          })
          const fiber = yield* transact((t) => Effect.onExit(body(t), () => silence)).pipe(
            Effect.provide(context),
            Effect.exit,
            Effect.forkChild
          )
          yield* Effect.sync(() => state.swallowed).pipe(
            Effect.repeat({ schedule: Schedule.spaced("5 millis"), until: (bytes) => bytes > 0 }),
            Effect.timeout("10 seconds")
          )
          const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
          yield* Fiber.join(closing).pipe(Effect.timeout("15 seconds"))
          assert.isTrue(Exit.isFailure(yield* Fiber.join(fiber)))
        }).pipe(Effect.scoped)
      )
    }

    it.live("because none listens is unavailable", () =>
      Effect.gen(function* () {
        const probe = net.createServer()
        yield* Effect.callback<void>((resume) => void probe.listen(0, "127.0.0.1", () => resume(Effect.void)))
        const { port } = probe.address() as net.AddressInfo
        yield* Effect.callback<void>((resume) => void probe.close(() => resume(Effect.void)))
        const reason = yield* reasonOf(
          once((t) => t.count(slow)).pipe(
            Effect.provide(PostgresStorage.layer({ connection: { ...connection, port }, tables: all }))
          )
        )
        assert.strictEqual(reason._tag, "Unavailable")
        assert.match(reason.message, /^database unavailable: .*ECONNREFUSED/)
      })
    )
  })

  it.live("a pool that is all lent out says so in time, and lends again", () =>
    story(
      Effect.gen(function* () {
        const { release } = yield* holding("select pg_advisory_xact_lock(77)")
        const holder = yield* Effect.forkChild(transact(insert))
        yield* session(commits)
        const reason = yield* reasonOf(once((t) => t.count(slow)))
        assert.deepInclude(reason, { _tag: "Unavailable", detail: "no connection could be had in time" })
        yield* release
        yield* Fiber.join(holder)
        assert.strictEqual(yield* once((t) => t.count(slow)), 1)
      }),
      { connectionsMax: 1, acquireTimeoutMillis: 200 }
    )
  )

  it.live("an interrupted statement is given up at the server, and its session not lent again", () =>
    story(
      Effect.gen(function* () {
        yield* once(insert)
        const { release } = yield* holding("select * from slow for update")
        const fiber = yield* Effect.forkChild(once(update))
        const pid = yield* session("wait_event_type = 'Lock'")
        yield* Fiber.interrupt(fiber)
        yield* Effect.suspend(() => run(connection, `select 1 from pg_stat_activity where pid = ${pid}`)).pipe(
          Effect.repeat({ schedule: Schedule.spaced("10 millis"), until: (rows) => rows.length === 0 }),
          Effect.timeout("20 seconds")
        )
        yield* release
        assert.strictEqual((yield* once((t) => t.get(slow, { id: 1 })))?.amount, 1)
      })
    )
  )

  it.live("interrupted at whatever step of a call, a connection is not lost", () =>
    story(
      Effect.gen(function* () {
        yield* once(insert)
        for (const call of [once((t) => t.count(slow)), transact((t) => t.count(slow))]) {
          // It pauses after every so many of its steps, so that each step is once the last one before the interruption.
          for (let ops = 8; ops <= 40; ops++) {
            const fiber = yield* Effect.forkChild(Effect.provideService(call, Scheduler.MaxOpsBeforeYield, ops))
            yield* Effect.yieldNow
            yield* Fiber.interrupt(fiber)
            assert.strictEqual(yield* once((t) => t.count(slow)), 1, `after ${ops} steps`)
          }
        }
      }),
      { connectionsMax: 1 }
    )
  )

  it.live("a text too long for its index is refused by the index's name, and nothing else suffers", () =>
    story(
      Effect.gen(function* () {
        // Hardly to be compressed.
        const key = Array.from({ length: 1_000 }, (_, index) => Math.imul(index + 1, 0x9e3779b1).toString(36)).join("")
        const lease = { key, holder: "a", epoch: 1, acquiredAt: 1, renewedAt: 1, expiresAt: 2, releasedAt: null }
        const reason = yield* reasonOf(once((t) => t.insert(leases, lease)))
        assert.deepInclude(reason, { _tag: "CheckViolation", table: "leases", constraint: "leases_pkey" })
        assert.strictEqual(yield* once((t) => t.count(leases)), 0)
      })
    )
  )

  it.live("shows what each session is doing by its label", () =>
    story(
      Effect.gen(function* () {
        yield* once(insert)
        const { release } = yield* holding("select * from slow for update")
        const fibers = [
          yield* Effect.forkChild(Effect.asVoid(once(update, "story/first"))),
          yield* Effect.forkChild(
            Effect.asVoid(transact((t) => t.get(slow, { id: 1 }, { lock: "for share" }), "story */ drop"))
          )
        ]
        yield* session("query like '/* story/first */ update%'")
        yield* release
        for (const fiber of fibers) yield* Fiber.join(fiber)
        yield* session("query = '/* story _/ drop */ commit'")
      })
    )
  )

  it.live("once is one round trip with its fences, a transaction three more than its calls", () => {
    let sent = 0
    const stream = () => {
      const socket = net.connect({ host: connection.host, port: connection.port, noDelay: true })
      const write = socket.write.bind(socket)
      socket.write = ((...args: Parameters<typeof write>) => {
        sent++
        return write(...args)
      }) as typeof socket.write
      return socket
    }
    return Effect.gen(function* () {
      yield* emptied
      yield* Effect.provide(
        Effect.gen(function* () {
          const { transaction } = yield* Storage
          const storage = yield* Storage
          const lease = { key: "k", holder: "h", epoch: 1, acquiredAt: 0, renewedAt: 0, expiresAt: 0, releasedAt: null }
          yield* storage.once((t) => t.insert(leases, lease), { label: "setup" })
          const options = { label: "count", fences: [{ lease: "k", epoch: 1 }] }
          sent = 0
          yield* storage.once(update, options)
          assert.strictEqual(sent, 1)
          sent = 0
          yield* transaction((t) => Effect.andThen(update(t), t.get(slow, { id: 1 })), options)
          assert.strictEqual(sent, 5)
        }),
        PostgresStorage.layer({ connection: { ...connection, stream }, tables: all, ...patient })
      )
    })
  })

  // covers A25
  it.live("finds what is due by the index on its time", () =>
    Effect.gen(function* () {
      const { text } = toSql(
        {
          _tag: "Select",
          table: "leases",
          where: and(lt(leases.row.expiresAt, subtract(now, 5)), eq(leases.row.key, leases.row.key)),
          orderBy: [],
          limit: undefined,
          lock: undefined,
          skipLocked: false
        },
        new Map(all.map((table) => [table.name, table]))
      )
      // Enough rows for the planner to prefer it, whatever it last knew of the table; undone when the session ends.
      const plan = yield* run(
        connection,
        "begin",
        "truncate leases",
        `insert into leases select n::text, '', 1, now(), now(), now() + n * interval '1 minute', null
         from generate_series(-5, 2000) n`,
        `create index due on leases ("expiresAt")`,
        "analyze leases",
        `explain ${text.replace("$1", "5::bigint")}`
      )
      assert.match(JSON.stringify(plan), /Index.* due/)
    })
  )
})
