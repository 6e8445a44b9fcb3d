/** Programs with SQL of their own, on the driver as it is, over a network that fails, to PGlite. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import { PersistenceError } from "effect/cluster/ClusterError"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { boot } from "../../adapters/cli/bootPglite.ts"
import { emit } from "../../core/facts/Facts.ts"
import { delay, hold, pass, reset, type Verdict } from "../network/Network.ts"
import { requireSql } from "../run/requireSql.ts"
import { RequestProblem } from "../run/Simulation.ts"
import { World } from "../run/World.ts"
import type { Databases } from "../storage/Databases.ts"
import * as SimPgClient from "./SimPgClient.ts"

let databases: Databases
beforeAll(async () => {
  databases = await boot()
}, 60_000)

const say = (what: string) => emit({ _tag: "Said", what } as never)

type Sql = SqlClient.SqlClient

/** A server with an empty table, and what the nodes of a story say, with the second at which they do. */
const story = () => {
  const world = new World({ seed: "1", databases, isCalm: true })
  const said: Array<string> = []
  world.subscribe(({ atMicros, fact }) => {
    if (fact._tag !== "Said") return
    said.push(`${Math.floor(atMicros / 1_000_000)} s ${(fact as unknown as { readonly what: string }).what}`)
  })
  world.addNode("database", requireSql(world).make(world)).start()
  const node = (
    name: string,
    program: (sql: Sql) => Effect.Effect<unknown, SqlError>,
    options: SimPgClient.SimPgClientOptions = {}
  ) => {
    const saying = Effect.flatMap(SqlClient.SqlClient, (sql) => program(sql)).pipe(
      // The client dies where it cannot roll back.
      Effect.catchCause((cause) => say(`${name}: ${(Cause.squash(cause) as SqlError).reason._tag}`)),
      Effect.provide(SimPgClient.layer({ connectTimeout: "2 seconds", ...options }))
    )
    const added = world.addNode(name, saying)
    added.start()
    return added
  }
  node("setter", (sql) => sql`create table notes (id serial primary key, text text)`)
  world.run("1s")
  const rule = (verdict: Verdict, source: string) =>
    world.network.addRule({ fault: "test", onPacket: (packet) => (packet.source === source ? verdict : pass) })
  return { world, said, node, rule }
}

const note = (sql: Sql, text: string) => sql`insert into notes (text) values (${text})`
const noting = (text: string) => (sql: Sql) => Effect.andThen(note(sql, text), say(`${text} is noted`))
const telling = (sql: Sql) =>
  Effect.flatMap(sql<{ text: string }>`select text from notes order by id`, (rows) =>
    say(`notes: ${rows.map(({ text }) => text).join(" ")}`)
  )

describe("a program's own SQL on PGlite", () => {
  it("asks for a world that has SQL, and says how to come by one", () => {
    const world = new World({ seed: "1" })
    assert.throws(() => requireSql(world), RequestProblem, "run it with --storage pglite")
  })

  it("is refused advisory locks of its session, which would be everybody's, and has those of its transaction", () => {
    const { node, said, world } = story()
    const transacting = (sql: Sql) => sql.withTransaction(sql`select pg_advisory_xact_lock(7)`)
    node("n1", (sql) => Effect.andThen(transacting(sql), say("locked for a transaction")))
    world.run("5s")
    assert.deepStrictEqual(said, ["1 s locked for a transaction"])
    node("n2", (sql) => sql`select pg_try_advisory_lock(7)`)
    assert.throws(() => world.run("5s"), RequestProblem, /^n2 asks for pg_try_advisory_lock/)
  })

  it("finds nothing of what an earlier world had", () => {
    const made = (sql: Sql) =>
      Effect.flatMap(
        sql`select (select count(*)::int from pg_class where relnamespace >= 16384 or relname = 'notes') as things,
            (select count(*)::int from pg_namespace where nspname = 'apart') as schemas,
            (select count(*)::int from pg_roles where rolname = 'teller') as roles,
            current_setting('work_mem') as memory`,
        ([row]) => say(JSON.stringify(row))
      )
    const makes = (sql: Sql) =>
      Effect.gen(function* () {
        yield* sql`create schema apart`
        yield* sql`create table apart.things (id int)`
        yield* sql`create role teller`
        yield* sql`grant all on schema apart to teller`
        yield* sql`alter database postgres set work_mem = '1MB'`
        yield* sql`set work_mem = '2MB'`
        yield* made(sql)
      })
    const [first, second] = [makes, made].map((program) => {
      const { node, said, world } = story()
      node("n1", program)
      world.run("2s")
      return said
    })
    assert.include(first![0], '"schemas":1,"roles":1,"memory":"2MB"')
    assert.include(second![0], '"schemas":0,"roles":0,"memory":"4MB"')
  })

  it("waits as long as bytes are held on their way back, and has been done meanwhile", () => {
    const { node, rule, said, world } = story()
    node("n1", (sql) => Effect.andThen(telling(sql), Effect.delay(noting("late")(sql), "1 second")))
    world.run("500ms")
    const letGo = rule(hold, "database")
    world.run("2s")
    letGo()
    const other = rule(hold, "n1")
    node("n2", telling)
    world.run("2s")
    other()
    assert.deepStrictEqual(said, ["1 s notes: ", "3 s late is noted", "3 s notes: late"])
  })

  it("is done for a process that has died, when its bytes come late", () => {
    const { node, rule, said, world } = story()
    const n1 = node("n1", (sql) => Effect.andThen(telling(sql), Effect.delay(noting("late")(sql), "1 second")))
    world.run("500ms")
    rule(delay(3_000_000), "n1")
    world.run("1s")
    n1.crash("killed")
    node("n2", telling)
    world.run("3s")
    node("n3", telling)
    world.run("1s")
    assert.deepStrictEqual(said, ["1 s notes: ", "2 s notes: ", "5 s notes: late"])
  })

  it("fails where its connection is cut, and goes on over another", () => {
    const { node, rule, said, world } = story()
    node("n1", (sql) =>
      Effect.gen(function* () {
        yield* telling(sql)
        yield* Effect.sleep("1 second")
        yield* noting("cut")(sql).pipe(Effect.catch(({ reason }) => say(reason._tag)))
        yield* Effect.sleep("1 second")
        yield* noting("again")(sql)
      })
    )
    world.run("500ms")
    const letGo = rule(reset, "n1")
    world.run("1s")
    letGo()
    world.run("2s")
    assert.deepStrictEqual(said, ["1 s notes: ", "2 s ConnectionError", "3 s again is noted"])
  })

  it("waits for ever for an answer that is lost with its connection, and fails where connections are kept alive", () => {
    const { node, said, world } = story()
    const patient = (name: string) => (sql: Sql) =>
      Effect.andThen(Effect.andThen(note(sql, name), Effect.sleep("1 second")), noting(name)(sql))
    node("n1", patient("n1"))
    node("n2", patient("n2"), { keepAlive: "10 seconds" })
    world.run("500ms")
    // For longer than the server tries to send: it gives the connections up.
    const mend = world.network.partitionOneWay(["database"], ["n1", "n2"])
    world.run("30s")
    mend()
    world.run("600s")
    assert.deepStrictEqual(said, ["34 s n2: ConnectionError"], "n1 still waits")
  })

  it("is refused while the server is down, which keeps what was committed", () => {
    const { node, said, world } = story()
    node("n1", noting("before"))
    world.run("1s")
    world.node("database").crash("power")
    node("n2", telling)
    world.run("3s")
    world.node("database").start()
    node("n3", telling)
    world.run("1s")
    assert.deepStrictEqual(said, ["1 s before is noted", "4 s n2: ConnectionError", "5 s notes: before"])
  })

  it("has the server's time, however wrong", () => {
    const { node, said, world } = story()
    node("n1", (sql) =>
      Effect.gen(function* () {
        yield* sql`create table moments (at timestamptz default now())`
        yield* sql`insert into moments default values`
        yield* Effect.sleep("2 seconds")
        const [row] = yield* sql<{ seconds: number }>`
          select floor(extract(epoch from now() - at))::int as seconds from moments`
        yield* say(`${row?.seconds} s later`)
      })
    )
    world.run("1s")
    world.node("database").clock.jump(3_600_000_000)
    world.run("2s")
    assert.deepStrictEqual(said, ["3 s 3602 s later"])
  })

  it("waits for whoever holds a transaction open, 10 s at most, whose work is then undone", () => {
    const { node, said, world } = story()
    const n1 = node("n1", (sql) =>
      sql.withTransaction(Effect.andThen(note(sql, "open"), Effect.andThen(Effect.sleep("1 second"), telling(sql))))
    )
    world.run("500ms")
    n1.pause()
    node("n2", (sql) => Effect.andThen(noting("behind it")(sql), telling(sql)))
    world.run("30s")
    n1.resume()
    world.run("1s")
    assert.deepStrictEqual(said, ["11 s behind it is noted", "11 s notes: behind it", "31 s n1: ConnectionError"])
  })

  // `makeWithTransaction` of effect/sql/SqlClient dies where its rollback fails, which leaves nothing of the failure that it rolled back for.
  it("dies, past what catches its failures, where a transaction cannot be rolled back because its connection is gone", () => {
    const { node, rule, said, world } = story()
    const cut = (name: string) => (sql: Sql) =>
      sql.withTransaction(
        Effect.gen(function* () {
          yield* note(sql, name)
          yield* Effect.sleep("1 second")
          yield* note(sql, name).pipe(Effect.tapError(({ reason }) => say(`${name} failed: ${reason._tag}`)))
        })
      )
    node("n1", (sql) =>
      cut("n1")(sql).pipe(
        Effect.catch(() => say("n1 caught it")),
        Effect.tapDefect((defect) => say(`n1 died: ${(defect as SqlError).reason._tag}`))
      )
    )
    world.run("500ms")
    const letGo = rule(reset, "n1")
    world.run("1s")
    letGo()
    // The storages of effect/cluster make a failure of whatever happened.
    node("n2", (sql) => PersistenceError.refail(cut("n2")(sql)).pipe(Effect.catch(() => say("n2 caught it"))))
    world.run("500ms")
    rule(reset, "n2")
    world.run("1s")
    assert.deepStrictEqual(said, [
      "2 s n1 failed: ConnectionError",
      "2 s n1 died: ConnectionError",
      "2 s n1: ConnectionError",
      "3 s n2 failed: ConnectionError",
      "3 s n2 caught it"
    ])
  })
})
