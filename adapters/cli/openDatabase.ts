/** The way to the database of a process, whichever it is. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Choice } from "../pglite/chooseDatabase.ts"
import type { DataDirectoryRefused } from "../pglite/DataDirectory.ts"
import type { ConnectionSettings } from "../postgres/PostgresStorage.ts"
import { UsageError } from "./Usage.ts"

/** Opened in a scope. Throws `UsageError` for what names no server, or when the embedded database is not installed. */
export async function openerOf(
  choice: Choice
): Promise<Effect.Effect<ConnectionSettings, DataDirectoryRefused, Scope.Scope>> {
  if (choice._tag === "Server") {
    const url = Redacted.value(choice.url) as string
    if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
      throw new UsageError("DATABASE_URL: not a URL such as postgres://owner:password@host:5432/database")
    }
    return Effect.succeed({ url: choice.url })
  }
  // Optional, as PGlite is.
  const { make } = await import("../pglite/EmbeddedDatabase.ts").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error
    throw new UsageError(
      "the embedded database needs the package @electric-sql/pglite: install it, or set DATABASE_URL to use a server"
    )
  })
  return Effect.map(make({ directory: choice.directory }), ({ connection }) => connection)
}
