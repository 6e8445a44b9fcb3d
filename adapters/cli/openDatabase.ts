/** The way to the database of a process, whichever it is. */
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import { type Choice, chooseDatabase } from "../pglite/chooseDatabase.ts"
import type { DataDirectoryRefused } from "../pglite/DataDirectory.ts"
import type { ConnectionSettings } from "../postgres/PostgresStorage.ts"
import { serverUrl } from "./config/parse.ts"
import type { Values } from "./config/Setting.ts"
import type { databaseSettings } from "./config/settings.ts"
import { UsageError } from "./Usage.ts"

/** The choice of a process with settings. */
export const choiceOf = ({ databaseUrl, directory }: Values<typeof databaseSettings>): Choice =>
  databaseUrl === undefined
    ? { _tag: "Embedded", directory: path.join(directory, "database") }
    : { _tag: "Server", url: databaseUrl }

/** The choice of a process without settings. Throws `UsageError` for a `DATABASE_URL` that names no server. */
export const chooseByEnvironment = (): Choice => {
  const choice = chooseDatabase(process.env, "")
  if (choice._tag === "Server") requireServerUrl(Redacted.value(choice.url) as string)
  return choice
}

/** Of `DATABASE_URL`. Throws `UsageError`. */
export const requireServerUrl = (text: string): URL => {
  const parsed = serverUrl(text)
  if (Result.isFailure(parsed)) throw new UsageError(`DATABASE_URL: ${parsed.failure}`)
  return new URL(text)
}

/** Opened in a scope. Throws `UsageError` when the embedded database is not installed. */
export async function openerOf(
  choice: Choice
): Promise<Effect.Effect<ConnectionSettings, DataDirectoryRefused, Scope.Scope>> {
  if (choice._tag === "Server") return Effect.succeed({ url: choice.url })
  // Optional, as PGlite is.
  const { make } = await import("../pglite/EmbeddedDatabase.ts").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error
    throw new UsageError(
      "the embedded database needs the package @electric-sql/pglite: install it, or set DATABASE_URL to use a server"
    )
  })
  return Effect.map(make({ directory: choice.directory }), ({ connection }) => connection)
}
