/**
 * An empty database on a server of one's own, and its owner, who is no superuser: row security holds for him as for any role, since it is forced.
 * For local clusters, fuzz runs and whoever else has no two roles.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { SqlError } from "effect/sql/SqlError"
import type { Connection } from "./EmbeddedPostgres.ts"
import { literal } from "./Sql.ts"

const owner = "stormglass"

/** As the superuser of the server, whose password the owner has too. */
export const plainDatabase = (server: Connection): Effect.Effect<Connection, SqlError> =>
  Effect.gen(function* () {
    const session = yield* PgConnection.make(server)
    const password = literal("text", Redacted.value(server.password))
    yield* session.query(`create role ${owner} login password ${password}`, [], false)
    yield* session.query(`create database ${owner} owner ${owner}`, [], false)
    return { ...server, username: owner, database: owner }
  }).pipe(Effect.scoped)
