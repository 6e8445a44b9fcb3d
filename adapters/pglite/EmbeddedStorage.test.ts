/** The port on the embedded database: the same laws as on a real server, through the same adapter. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { afterAll, beforeAll } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as PostgresStorage from "../postgres/PostgresStorage.ts"
import { createSchema } from "../postgres/Schema.ts"
import { storageContract, tables } from "../postgres/StorageContract.fixture.ts"
import { type EmbeddedDatabase, make } from "./EmbeddedDatabase.ts"
import { oneSessionExceptions } from "./oneSession.fixture.ts"
import { runtimeRole } from "./runtimeRole.ts"

/** Limits that no busy machine runs into; otherwise those of `core/Limits.ts` hold. */
const patient = {
  acquireTimeoutMillis: 20_000,
  answerTimeoutMillis: 30_000,
  statementTimeoutMillis: 20_000,
  lockTimeoutMillis: 20_000,
  idleInTransactionTimeoutMillis: 20_000
}

const scope = Scope.makeUnsafe()
let connection: EmbeddedDatabase["connection"]

const run = (...texts: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.flatMap(PgConnection.make(connection), (session) =>
      Effect.forEach(texts, (text) => session.query(text, [], false), { discard: true })
    )
  )

beforeAll(async () => {
  ;({ connection } = await Effect.runPromise(Scope.provide(make(), scope)))
  await Effect.runPromise(
    run(
      ...createSchema(tables),
      `grant select, insert, update, delete on all tables in schema public to ${runtimeRole}`
    )
  )
}, 60_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

storageContract(
  "the embedded database",
  (program, patience) =>
    Effect.andThen(
      Effect.suspend(() => run(`truncate ${tables.map(({ name }) => name).join(", ")}`)),
      Effect.suspend(() =>
        Effect.provide(
          program,
          PostgresStorage.layer({
            connection: { ...connection, username: runtimeRole },
            tables,
            ...(patience === "long" ? patient : {})
          })
        )
      )
    ),
  {
    ...oneSessionExceptions,
    "interrupted after its COMMIT was sent, it goes on": "in one process it is over before anybody else has a turn"
  }
)
