/** The port on a real server: its laws, and what only a real server can do. */
import { afterAll, beforeAll, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { database, run, skipped } from "./Database.fixture.ts"
import type { Connection } from "./EmbeddedPostgres.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { createSchema } from "./Schema.ts"
import { storageContract, tables } from "./StorageContract.fixture.ts"

describe.skipIf(skipped())("on a real server", () => {
  const scope = Scope.makeUnsafe()
  let connection: Connection

  beforeAll(async () => {
    connection = await Effect.runPromise(Scope.provide(database, scope))
    await Effect.runPromise(run(connection, ...createSchema(tables)))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const emptied = Effect.suspend(() => run(connection, `truncate ${tables.map(({ name }) => name).join(", ")}`))

  storageContract("real Postgres", (program) =>
    Effect.andThen(
      emptied,
      Effect.suspend(() => Effect.provide(program, PostgresStorage.layer({ connection, tables })))
    )
  )
})
