/** Writes one row after another into the database of a directory, and says each that is committed, until it is killed. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as EmbeddedDatabase from "./EmbeddedDatabase.ts"

const [, , directory = ""] = process.argv

const program = Effect.gen(function* () {
  const { connection } = yield* EmbeddedDatabase.make({ directory })
  const session = yield* PgConnection.make(connection)
  yield* session.query("create table written (id int primary key)")
  for (let id = 1; ; id++) {
    yield* session.query("begin")
    yield* session.query("insert into written values ($1)", [id])
    yield* session.query("commit")
    yield* Effect.sync(() => process.stdout.write(`${id}\n`))
  }
})

await Effect.runPromise(Effect.scoped(program))
