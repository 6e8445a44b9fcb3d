/** `stormglass migrate`: brings the database of `DATABASE_URL` to this program's version, or only looks whether it is there. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { UsageError } from "./Usage.ts"

export interface MigrateOptions {
  readonly runtimeRole: string | undefined
  readonly isCheck: boolean
}

/** What happened, in one line. Throws `UsageError` with what is wrong with the database. */
export const migrateCommand = async ({ isCheck, runtimeRole }: MigrateOptions): Promise<string> => {
  const url = process.env["DATABASE_URL"]?.trim() ?? ""
  if (url === "") throw new UsageError("DATABASE_URL: not set; postgres://owner:password@host:5432/database")
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new UsageError("DATABASE_URL: not a URL such as postgres://owner:password@host:5432/database")
  }
  // The driver is loaded by those who need it: a sweep does not.
  const { migrate, requireReady } = await import("../postgres/migrate.ts")
  const connection = { url: Redacted.make(url) }
  const done = isCheck
    ? Effect.as(requireReady({ connection }), "the schema is what this program needs")
    : Effect.map(migrate({ connection, ...(runtimeRole === undefined ? {} : { runtimeRole }) }), ({ from, to }) =>
        from === to ? `the schema is version ${to}: nothing to do` : `the schema went from version ${from} to ${to}`
      )
  return await Effect.runPromise(
    Effect.match(done, {
      onSuccess: (text) => () => text,
      onFailure: (refused) => () => {
        throw new UsageError(refused.message)
      }
    })
  ).then((end) => end())
}
