/**
 * Databases for tests against real Postgres: one of its own for every file that asks, on the server of `DATABASE_URL`
 * or on an embedded one. Others may be at work on that server, other files' tests among them: what counts for the whole of it, such as
 * the oldest transaction under way, is waited for.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { type Connection, make, unavailable } from "./EmbeddedPostgres.ts"

/** Why tests that need Postgres are skipped, said once a file; undefined when they run. */
export const skipped = (options: { readonly isControlled?: boolean } = {}): boolean => {
  const why = serverUrl() !== undefined && options.isControlled !== true ? undefined : unavailable()
  if (why === undefined) return false
  if (process.env["STORMGLASS_POSTGRES"] === "required") throw new Error(`STORMGLASS_POSTGRES=required: ${why}`)
  console.warn(`skipped: ${why}`)
  return true
}

/** An empty database, dropped with the scope. */
export const database: Effect.Effect<Connection, never, Scope.Scope> = Effect.suspend(() => {
  const url = serverUrl()
  if (url === undefined) return Effect.orDie(Effect.map(make(), ({ connection }) => connection))
  return databaseOn(ofUrl(url))
})

/** An empty database on this server, dropped with the scope. */
export const databaseOn = (server: Connection): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.suspend(() => {
        const name = `stormglass_${Math.random().toString(36).slice(2, 12)}`
        return Effect.as(run(server, `create database ${name}`), name)
      }),
      (name) => run(server, `drop database ${name} with (force)`)
    ),
    (name) => ({ ...server, database: name })
  )

/** As whom programs should run: a role with rights on the rows that there are and no other, for which row security holds; dropped with the scope. */
export const plainRole = (owner: Connection): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.suspend(() => {
        const name = `${owner.database}_${Math.random().toString(36).slice(2, 8)}`
        const made = run(
          owner,
          `create role ${name} login password '${Redacted.value(owner.password)}'`,
          `grant select, insert, update, delete on all tables in schema public to ${name}`
        )
        return Effect.as(made, name)
      }),
      (name) => run(owner, `drop owned by ${name}`, `drop role ${name}`)
    ),
    (username) => ({ ...owner, username })
  )

/** Runs statements on a connection of their own and gives the rows of the last. */
export const run = (
  connection: Connection,
  ...statements: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>> =>
  Effect.gen(function* () {
    const session = yield* PgConnection.make(connection)
    let rows: ReadonlyArray<Readonly<Record<string, unknown>>> = []
    for (const statement of statements) rows = (yield* session.query(statement, [], false)).rows
    return rows
  }).pipe(Effect.scoped, Effect.orDie)

/** Empty is none, as for programs (`chooseDatabase`). */
function serverUrl(): string | undefined {
  const url = process.env["DATABASE_URL"]?.trim() ?? ""
  return url === "" ? undefined : url
}

function ofUrl(text: string): Connection {
  const url = new URL(text)
  return {
    host: url.hostname,
    port: Number(url.port === "" ? "5432" : url.port),
    database: decodeURIComponent(url.pathname.slice(1)),
    username: decodeURIComponent(url.username),
    password: Redacted.make(decodeURIComponent(url.password))
  }
}
