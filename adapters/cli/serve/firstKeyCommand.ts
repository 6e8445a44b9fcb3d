/** `stormglass keys first`: makes a key where the database is, for whoever then makes the others by the API. */
import * as Effect from "effect/Effect"
import * as ControlPlane from "../../../core/ControlPlane.ts"
import * as ApiKey from "../../../core/identity/ApiKey.ts"
import type { Table } from "../../../core/ports/Table.ts"
import { announce, type Choice } from "../../pglite/chooseDatabase.ts"
import { requireReady } from "../../postgres/migrate.ts"
import * as PostgresStorage from "../../postgres/PostgresStorage.ts"
import { openerOf } from "../openDatabase.ts"
import { UsageError } from "../Usage.ts"
import { isAdministered, makeToken, storeToken } from "./keyStore.ts"

export interface FirstKeyOptions {
  readonly choice: Choice
  /** Who names the server: a variable, or a file. */
  readonly origin: string
  /** Makes one although somebody has one. */
  readonly isAgain: boolean
  readonly say: (line: string) => void
}

/** Its token. Throws `UsageError`. */
export const firstKeyCommand = async ({ choice, isAgain, origin, say }: FirstKeyOptions): Promise<string> => {
  const open = await openerOf(choice)
  say(announce(choice, origin))
  const tables = ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>
  const token = makeToken()
  const made = Effect.gen(function* () {
    if ((yield* isAdministered) && !isAgain) {
      return yield* Effect.fail(
        new UsageError(
          "somebody has a key for everything: `stormglass keys create` makes others; --again, if it was lost"
        )
      )
    }
    yield* storeToken(token, "admin")
  })
  const done = Effect.gen(function* () {
    const connection = yield* open
    yield* requireReady({ connection })
    yield* Effect.provide(made, PostgresStorage.layer({ connection, tables, connectionsMax: 1 }))
    return ApiKey.format(token)
  })
  const result = await Effect.runPromise(Effect.result(Effect.scoped(done)))
  if (result._tag === "Success") return result.success
  throw result.failure instanceof UsageError ? result.failure : new UsageError(result.failure.message)
}
