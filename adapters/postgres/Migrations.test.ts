/** From an empty database to this version, by several at once, with other versions beside it; and what is refused, in one line. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import fs from "node:fs"
import * as Net from "node:net"
import path from "node:path"
import { tables as declared } from "../../core/ControlPlane.ts"
import { and } from "../../core/ports/Condition.ts"
import { Storage, leases } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { errorResponse, readyForQuery, welcome } from "../pglite/Backend.ts"
import { type Frame, Frames, concat, cstring, frame, int32 } from "../pglite/Frames.ts"
import { database, databaseOn, run, skipped } from "./Database.fixture.ts"
import { type Connection, make } from "./EmbeddedPostgres.ts"
import { createFeed, recordChangesOf } from "./FeedSchema.ts"
import { type DatabaseRefused, migrate, requireReady } from "./migrate.ts"
import { type Facts, differences, schemaProblem, serverProblem } from "./Migrations.ts"
import { migrations } from "./migrations/all.ts"
import type { Migration } from "./migrations/Migration.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { createSchema } from "./Schema.ts"

const tables = declared as unknown as ReadonlyArray<Table<unknown>>

const healthy: Facts = {
  serverVersion: 180_004,
  encoding: "UTF8",
  isInRecovery: false,
  isReadOnly: false,
  recorded: { version: 1, oldestProgram: 1, serverMajor: 18, description: { "column a.b": "bigint not null" } },
  description: { "column a.b": "bigint not null" },
  lacking: [],
  hidden: undefined
}

describe("a server", () => {
  it("of version 14 or newer will do", () => {
    assert.strictEqual(serverProblem({ ...healthy, serverVersion: 140_000 }), undefined)
    assert.deepStrictEqual(serverProblem({ ...healthy, serverVersion: 130_021 }), {
      reason: "too-old",
      detail: "it is Postgres 13; version 14 or newer is needed"
    })
  })

  it("of another encoding will not", () => {
    assert.strictEqual(serverProblem({ ...healthy, encoding: "LATIN1" })?.reason, "encoding")
  })

  it("of another major version may word the same schema in another way", () => {
    const reworded = { ...healthy, description: { "column a.b": "int8 not null" } }
    assert.deepStrictEqual(differences(reworded), ["column a.b was changed"])
    assert.deepStrictEqual(differences({ ...reworded, serverVersion: 190_000 }), [])
    assert.deepStrictEqual(differences({ ...healthy, serverVersion: 190_000, description: {} }), [
      "column a.b is missing"
    ])
  })

  it("of whatever major version words facts in the same way, which a migration may bring and nobody else", () => {
    const facts = { ...healthy.description, "! function f() sets search_path=app": "" }
    const brought = { ...healthy, recorded: { ...healthy.recorded!, description: facts } }
    for (const serverVersion of [180_004, 190_000]) {
      assert.deepStrictEqual(differences({ ...healthy, serverVersion, description: facts }), [
        "function f() sets search_path=app"
      ])
      assert.deepStrictEqual(differences({ ...brought, serverVersion, description: facts }), [])
      assert.deepStrictEqual(differences({ ...brought, serverVersion }), [
        "no longer: function f() sets search_path=app"
      ])
    }
  })
})

describe("a program", () => {
  const on = (version: number, oldestProgram: number, known: number) =>
    schemaProblem({ ...healthy, recorded: { ...healthy.recorded!, version, oldestProgram } }, known)?.reason

  it("runs on its own version, and on newer ones that admit it", () => {
    assert.deepStrictEqual(
      [on(2, 1, 2), on(2, 2, 2), on(3, 2, 2), on(3, 3, 2), on(1, 1, 2)],
      [undefined, undefined, undefined, "newer", "older"]
    )
  })

  it("knows versions without gaps, each admitting itself", () => {
    for (const [index, { oldestProgram, version }] of migrations.entries()) {
      assert.strictEqual(version, index + 1)
      assert.isAtMost(oldestProgram, version)
    }
  })
})

const [present, next, afterNext] = [migrations.length, migrations.length + 1, migrations.length + 2]

const expand: Migration = {
  version: next,
  name: "expand",
  oldestProgram: 1,
  tables: ["notes"],
  statements: ["create table notes (id bigint primary key)", "alter table agents add column zone text"]
}

const contract: Migration = {
  version: afterNext,
  name: "contract",
  oldestProgram: afterNext,
  tables: [],
  statements: ["drop table notes"]
}

describe("a server that takes the connection and then says nothing", () => {
  /** Says `greeting` to the first bytes of each caller, and never anything again. */
  const silent = (greeting: Uint8Array) =>
    Effect.acquireRelease(
      Effect.callback<{ readonly server: Net.Server; readonly port: number }>((resume) => {
        const server = Net.createServer((socket) => {
          socket.on("error", () => socket.destroy())
          socket.once("data", () => socket.write(greeting))
        })
        server.listen(0, "127.0.0.1", () => {
          resume(Effect.succeed({ server, port: (server.address() as Net.AddressInfo).port }))
        })
      }),
      ({ server }) => Effect.sync(() => server.close())
    )
  const greeting = welcome({ processId: 1, secret: 2, parameters: { server_version: "18.0", client_encoding: "UTF8" } })
  const cases = [
    ["at once", new Uint8Array(0)],
    ["once it has let us in", greeting]
  ] as const
  for (const [when, says] of cases) {
    it.live(`is refused in one line: ${when}`, () =>
      Effect.gen(function* () {
        const { port } = yield* silent(says)
        // No limit of the driver's own.
        const url = Redacted.make(`postgres://me:secret@127.0.0.1:${port}/app?connect_timeout=0`)
        const where = `database app on 127.0.0.1:${port} as me`
        const options = { connection: { url }, answerTimeoutMillis: 200 }
        // Together: the driver takes some seconds more to give up.
        const ways = [Effect.asVoid(requireReady(options)), Effect.asVoid(migrate(options))].map(Effect.flip)
        for (const error of yield* Effect.all(ways, { concurrency: "unbounded" })) {
          assert.strictEqual(
            error.message,
            `${where}: no answer within 200 ms; check host and port, and that the server is well`
          )
          assert.strictEqual(error.reason, "unreachable")
        }
      }).pipe(Effect.scoped)
    )
  }
})

describe("a server older than what is asked about it", () => {
  /** Knows its version, and answers whatever else it is asked with what servers of that age say. */
  const old = (version: number) =>
    Effect.acquireRelease(
      Effect.callback<Net.Server>((resume) => {
        const parameters = { server_version: "11.22", client_encoding: "UTF8" }
        const server = Net.createServer((socket) => {
          const frames = new Frames()
          let isBegun = false
          let asked = ""
          const answer = ({ bytes, type }: Frame): Uint8Array => {
            if (type === "") {
              isBegun = true
              return welcome({ processId: 1, secret: 2, parameters })
            }
            if (type === "P") asked = Buffer.from(bytes).toString()
            if (type !== "S") return new Uint8Array(0)
            const isKnown = asked.includes("select current_setting('server_version_num')::int as version\0")
            return isKnown ? versionIs(version) : concat([unknownColumn, readyForQuery("I")])
          }
          socket.on("error", () => socket.destroy())
          socket.on("data", (chunk) => {
            for (const frame of frames.push(chunk, () => isBegun)) socket.write(answer(frame))
          })
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close())
    )
  const unknownColumn = errorResponse("ERROR", { code: "42703", message: 'column "attgenerated" does not exist' })
  const int16 = (value: number) => Uint8Array.of(value >> 8, value & 255)
  const versionIs = (version: number) =>
    concat([
      frame("1"),
      frame("2"),
      // One column of int4, in binary.
      frame("T", int16(1), cstring("version"), int32(0), int16(0), int32(23), int16(4), int32(-1), int16(1)),
      frame("D", int16(1), int32(4), int32(version)),
      frame("C", cstring("SELECT 1")),
      readyForQuery("I")
    ])

  it.live("is refused as too old, not by what it does not know", () =>
    Effect.gen(function* () {
      const { port } = (yield* old(110_022)).address() as Net.AddressInfo
      const url = Redacted.make(`postgres://me:secret@127.0.0.1:${port}/app`)
      for (const way of [requireReady({ connection: { url } }), migrate({ connection: { url } })]) {
        const { message, reason } = yield* Effect.flip(way)
        assert.strictEqual(
          message,
          `database app on 127.0.0.1:${port} as me: it is Postgres 11; version 14 or newer is needed`
        )
        assert.strictEqual(reason, "too-old")
      }
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(skipped())("a database", () => {
  const scope = Scope.makeUnsafe()
  let server: Connection

  beforeAll(async () => {
    server = await Effect.runPromise(Scope.provide(database, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const fresh = Effect.suspend(() => databaseOn(server))

  const refused = <A>(effect: Effect.Effect<A, DatabaseRefused>): Effect.Effect<DatabaseRefused> =>
    Effect.map(Effect.orDie(Effect.flip(effect)), (error) => {
      assert.notInclude(error.message, "\n")
      assert.notInclude(error.message, Redacted.value(server.password) as string)
      return error
    })

  /** Everything that the database holds, by name and content of our tables' records. */
  const everything = (connection: Connection) =>
    run(
      connection,
      `select relname::text, relkind::text, pg_get_userbyid(relowner) as owner, relacl::text from pg_class
       where relnamespace = 'public'::regnamespace order by 1`
    )

  it.live("has afterwards what core declares, and nothing is due any more", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      assert.deepStrictEqual(yield* migrate({ connection }), { from: 0, to: migrations.length })
      assert.deepStrictEqual(yield* migrate({ connection }), { from: migrations.length, to: migrations.length })
      yield* requireReady({ connection })

      const other = yield* fresh
      const derived: Migration = {
        version: 1,
        name: "derived",
        oldestProgram: 1,
        tables: migrations.flatMap((migration) => migration.tables),
        statements: [
          ...createSchema(tables),
          ...createFeed,
          ...tables.filter(({ isFed }) => isFed).flatMap(recordChangesOf)
        ]
      }
      yield* migrate({ connection: other, migrations: [derived] })
      const described = (of: Connection) =>
        Effect.map(
          run(of, "select description::text from stormglass_migrations order by version desc limit 1"),
          ([row]) => JSON.parse(row!["description"] as string) as object
        )
      assert.deepStrictEqual(yield* described(connection), yield* described(other))
    }).pipe(Effect.scoped)
  )

  it.live("keeps the audit log as it was written, also from those who own it", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      yield* migrate({ connection })
      yield* run(
        connection,
        `insert into audit_log (seq, id, at, principal, action, project, path, "requestId", status, "previousHash", hash)
         values (1, 'a', now(), 'p', 'fleets/put', 'shop', '/', 'k', 200, '', '')`
      )
      for (const statement of ["update audit_log set principal = 'q'", "delete from audit_log", "truncate audit_log"]) {
        const exit = yield* Effect.exit(run(connection, statement))
        assert.isTrue(Exit.isFailure(exit), statement)
      }
      assert.deepStrictEqual(yield* run(connection, "select principal from audit_log"), [{ principal: "p" }])
    }).pipe(Effect.scoped)
  )

  it.live("is brought there once, however many begin together", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      const ends = yield* Effect.all(
        Array.from({ length: 8 }, () => migrate({ connection })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(ends.filter(({ from }) => from === 0).length, 1)
      assert.strictEqual(ends.filter(({ from }) => from === migrations.length).length, 7)
    }).pipe(Effect.scoped)
  )

  it.live("that was expanded serves the program before, and one that was contracted does not", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      yield* migrate({ connection })
      assert.deepInclude(yield* refused(requireReady({ connection, migrations: [...migrations, expand] })), {
        reason: "older"
      })
      const expanded = [...migrations, expand]
      assert.deepStrictEqual(yield* migrate({ connection, migrations: expanded }), { from: present, to: next })
      for (const known of [migrations, expanded]) yield* requireReady({ connection, migrations: known })
      // The older program also finds nothing to migrate, rather than going back.
      assert.deepStrictEqual(yield* migrate({ connection }), { from: next, to: next })

      const contracted = [...expanded, contract]
      yield* migrate({ connection, migrations: contracted })
      yield* requireReady({ connection, migrations: contracted })
      const before = yield* everything(connection)
      for (const known of [migrations, expanded]) {
        assert.deepInclude(yield* refused(requireReady({ connection, migrations: known })), { reason: "newer" })
        const error = yield* refused(migrate({ connection, migrations: known }))
        assert.match(
          error.message,
          /version (\d+), which needs a program that knows version \1; this one knows \d+: upgrade it/
        )
      }
      assert.deepStrictEqual(yield* everything(connection), before)
    }).pipe(Effect.scoped)
  )

  it.live("is left as it was by a migration that fails in the middle", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      yield* migrate({ connection })
      const before = yield* everything(connection)
      const broken = { ...expand, statements: [...expand.statements, "create table fleets (id int)"] }
      const error = yield* refused(migrate({ connection, migrations: [...migrations, broken] }))
      assert.match(error.message, /tables that are not ours/)
      assert.deepStrictEqual(yield* everything(connection), before)
      yield* requireReady({ connection })
    }).pipe(Effect.scoped)
  )

  it.live("lets the runtime role read and write rows, and do nothing else", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      const role = `runtime_${connection.database}`
      const runtime = { ...connection, username: role }
      yield* Effect.acquireRelease(
        run(connection, `create role ${role} login password '${Redacted.value(connection.password) as string}'`),
        () => run(connection, `drop owned by ${role}`, `drop role ${role}`)
      )
      yield* migrate({ connection, runtimeRole: role })
      yield* requireReady({ connection: runtime })
      const works = Effect.gen(function* () {
        const { once } = yield* Storage
        const row = { key: "k", holder: "h", epoch: 1, acquiredAt: 0, renewedAt: 0, expiresAt: 0, releasedAt: null }
        yield* once((t) => t.insert(leases, row), { label: "insert" })
        const fences = [{ lease: "k", epoch: 1 }]
        yield* once((t) => t.update(leases, { where: () => and(), set: () => ({ holder: "g" }) }), {
          label: "u",
          fences
        })
        assert.strictEqual(
          (yield* once((t) => t.delete(leases, { where: () => and() }), { label: "delete" })).length,
          1
        )
      })
      yield* Effect.provide(works, PostgresStorage.layer({ connection: runtime, tables }))
      for (const statement of [
        "drop table leases",
        "truncate leases",
        "alter table leases add column x int",
        "create index on leases (holder)",
        "delete from stormglass_migrations",
        "drop function stormglass_fenced"
      ]) {
        const exit = yield* Effect.exit(run(runtime, statement))
        assert.isTrue(Exit.isFailure(exit), statement)
      }
      const error = yield* refused(migrate({ connection: runtime, migrations: [...migrations, expand] }))
      assert.match(error.message, /connect as the owner of the schema, who gives rights by --runtime-role$/)
      const told = (message: string) =>
        `database ${connection.database} on ${connection.host}:${connection.port} as ${role}: ${message}`
      yield* run(connection, `revoke all on leases from ${role}`, `revoke insert, delete on agents from ${role}`)
      assert.strictEqual(
        (yield* refused(requireReady({ connection: runtime }))).message,
        told(
          "the role may not insert, delete on agents, nor select, insert, update, delete on leases; run `stormglass migrate --runtime-role …` as the owner"
        )
      )
      yield* migrate({ connection, runtimeRole: role })
      yield* requireReady({ connection: runtime })
      yield* run(connection, `revoke all on stormglass_migrations from ${role}`)
      assert.match(
        (yield* refused(requireReady({ connection: runtime }))).message,
        /the role may not do this: permission denied for table stormglass_migrations .*; connect as the owner of the schema, who/
      )
      yield* run(connection, "revoke usage on schema public from public", `revoke usage on schema public from ${role}`)
      for (const way of [requireReady({ connection: runtime }), migrate({ connection: runtime })]) {
        const { message, reason } = yield* refused(way)
        assert.strictEqual(
          message,
          told("the role may not use the schema public; run `stormglass migrate --runtime-role …` as the owner")
        )
        assert.strictEqual(reason, "rights")
      }
      yield* migrate({ connection, runtimeRole: role })
      yield* requireReady({ connection: runtime })
    }).pipe(Effect.scoped)
  )

  it.live("that is locked is not waited for: whoever starts is told so", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      yield* migrate({ connection })
      const holder = yield* PgConnection.make(connection)
      yield* holder.query("begin", [], false)
      yield* holder.query("lock table stormglass_migrations", [], false)
      const { message, reason } = yield* refused(requireReady({ connection }))
      assert.strictEqual(reason, "failed")
      assert.match(message, /^database .*: somebody holds a lock for too long: .*; try again .*$/)
    }).pipe(Effect.scoped)
  )

  describe("that was changed by hand is refused, and told what was changed", () => {
    const changes: ReadonlyArray<readonly [string, string]> = [
      ["alter table agents add column extra int", "column agents.extra was added"],
      ["alter table members drop column weight", "column members.weight is missing"],
      ["alter table fleets alter desired drop not null", "column fleets.desired was changed"],
      ["alter table instances drop constraint stormglass_check", "constraint instances.stormglass_check is missing"],
      ["alter table leases drop constraint leases_key_key_epoch", "constraint leases.leases_key_key_epoch is missing"],
      ["drop index members_idx_seenAt", "index members_idx_seenAt is missing"],
      ["create unique index mine on agents (incarnation)", "unique index mine was added"],
      ["drop trigger stormglass_record_change on leases", "trigger leases.stormglass_record_change is missing"],
      [
        "alter table leases disable trigger stormglass_record_change",
        "trigger leases.stormglass_record_change was changed"
      ],
      ["drop table agents cascade", "table agents is missing"],
      [
        "create or replace function stormglass_fenced(lease text, epoch bigint, actual bigint) returns boolean language sql as 'select true'",
        "function stormglass_fenced(text,bigint,bigint) was changed"
      ],
      ["alter table leases set unlogged", "by hand: table leases is unlogged; undo"],
      ["alter table leases enable row level security", "by hand: table leases has row security; undo"],
      ["alter table leases force row level security", "by hand: table leases has row security; undo"],
      [
        "alter table fleets disable row level security; create or replace function stormglass_sees(project text) returns boolean stable language sql as 'select true'",
        "by hand: table fleets does not enable its row security, function stormglass_sees(text) was changed; undo"
      ],
      [
        "alter table fleets no force row level security; alter table fleet_statuses no force row level security; alter table fleet_statuses disable row level security; drop policy stormglass_tenant on quotas; create policy mine on instances using (true)",
        "by hand: no longer: table fleet_statuses has row security, table fleets does not force its row security, table instances has the policy mine and 1 more; undo"
      ],
      [
        "alter policy stormglass_tenant on instances using (true)",
        "by hand: table instances has the policy stormglass_tenant, table instances lacks the policy stormglass_tenant; undo"
      ],
      ["create rule r as on insert to leases do instead nothing", "by hand: table leases has the rule r; undo"],
      [
        "create table kid () inherits (stormglass_changes)",
        "by hand: table stormglass_changes has the child kid; undo"
      ],
      [
        'create table parent (id text collate "C"); alter table agents inherit parent',
        "by hand: table agents is a child of parent; undo"
      ],
      [
        "alter table leases enable replica trigger stormglass_record_change",
        "trigger leases.stormglass_record_change does not fire for everybody"
      ],
      [
        "alter table stormglass_changes alter position set cache 50",
        "by hand: sequence stormglass_changes_position_seq does not count by ones; undo"
      ],
      [
        "alter function stormglass_record_change() set search_path = pg_temp",
        "by hand: function stormglass_record_change() sets search_path=pg_temp; undo"
      ],
      [
        "alter function stormglass_fenced(text, bigint, bigint) strict stable",
        "by hand: function stormglass_fenced(text,bigint,bigint) is not volatile, function stormglass_fenced(text,bigint,bigint) is strict; undo"
      ]
    ]
    it.live(
      `${changes.length} ways`,
      () =>
        Effect.gen(function* () {
          const connection = yield* fresh
          yield* migrate({ connection })
          const template = connection.database
          for (const [change, told] of changes) {
            const changed = yield* Effect.acquireRelease(
              Effect.as(run(server, `create database ${template}_changed template ${template}`), {
                ...server,
                database: `${template}_changed`
              }),
              ({ database }) => run(server, `drop database ${database} with (force)`)
            ).pipe(
              Effect.tap((of) =>
                Effect.gen(function* () {
                  // Names with capitals are quoted in the list above only where they must be.
                  yield* run(
                    of,
                    ...change.replaceAll(/\b(instances_isPlaced|members_idx_seenAt)\b/g, '"$1"').split("; ")
                  )
                  const before = yield* everything(of)
                  for (const way of [
                    requireReady({ connection: of }),
                    migrate({ connection: of, migrations: [...migrations, expand] })
                  ]) {
                    const error = yield* refused(way)
                    assert.deepInclude(error, { reason: "changed" })
                    assert.include(error.message, told)
                  }
                  assert.deepStrictEqual(yield* everything(of), before)
                })
              ),
              Effect.scoped
            )
            assert.isString(changed.database)
          }
        }).pipe(Effect.scoped),
      120_000
    )

    it.live("but not when an operator adds an index", () =>
      Effect.gen(function* () {
        const connection = yield* fresh
        yield* migrate({ connection })
        yield* run(connection, "create index mine on agents (incarnation)")
        yield* requireReady({ connection })
      }).pipe(Effect.scoped)
    )
  })

  it.live("that cannot be used is refused with what to do", () =>
    Effect.gen(function* () {
      const connection = yield* fresh
      const password = Redacted.make("wrong")
      const taken = yield* fresh
      yield* run(taken, "create table agents (id int)")
      const readonly = yield* fresh
      yield* run(readonly, `alter database ${readonly.database} set default_transaction_read_only = on`)
      const cases: ReadonlyArray<readonly [Connection, string, RegExp]> = [
        [{ ...connection, port: 1 }, "unreachable", /no connection: .*ECONNREFUSED.*; check host and port/],
        [{ ...connection, host: "no.such.host.invalid" }, "unreachable", /no connection: .*; check host and port/],
        [{ ...connection, password }, "credentials", /check user and password$/],
        [{ ...connection, username: "nobody_here" }, "credentials", /check user and password$/],
        [{ ...connection, database: "no_such_database" }, "no-database", /there is no such database: .*; create it$/],
        [readonly, "read-only", /its transactions are read-only; unset default_transaction_read_only$/]
      ]
      for (const [wrong, reason, message] of cases) {
        for (const way of [requireReady({ connection: wrong }), migrate({ connection: wrong })]) {
          const error = yield* refused(way)
          assert.strictEqual(error.reason, reason)
          assert.match(error.message, message)
        }
      }
      assert.match((yield* refused(requireReady({ connection }))).message, /it has no schema; run `stormglass migrate`/)
      assert.match((yield* refused(migrate({ connection: taken }))).message, /holds tables that are not ours/)
      assert.deepStrictEqual(yield* everything(connection), [])
      assert.strictEqual((yield* everything(taken)).length, 1)
    }).pipe(Effect.scoped)
  )
})

describe.skipIf(skipped({ isControlled: true }))("a standby", () => {
  it.live("is refused", () =>
    Effect.gen(function* () {
      const { connection } = yield* make({
        prepare: (directory) => Effect.sync(() => fs.writeFileSync(path.join(directory, "standby.signal"), ""))
      })
      for (const way of [requireReady({ connection }), migrate({ connection })]) {
        assert.match((yield* Effect.flip(way)).message, /it is a standby; connect to the primary$/)
      }
    }).pipe(Effect.scoped)
  )
})
