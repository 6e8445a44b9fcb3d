/**
 * `stormglass migrate`: brings a database to this program's version, or only looks whether it is there: that of `DATABASE_URL`, or
 * else the embedded one.
 */
import * as Effect from "effect/Effect"
import fs from "node:fs"
import path from "node:path"
import { type Choice, announce } from "../pglite/chooseDatabase.ts"
import { raisedBy, type RevokedKeys } from "../postgres/afterRestore.ts"
import { idPattern } from "../../core/identity/ApiKey.ts"
import { openerOf } from "./openDatabase.ts"
import { UsageError } from "./Usage.ts"

export interface MigrateOptions {
  readonly runtimeRole: string | undefined
  readonly isCheck: boolean
  /** It was restored from a backup. */
  readonly isRestored: boolean
  /** Of a restored one: "all", or ids of API keys, separated by commas. */
  readonly revokeKeys: string | undefined
  readonly choice: Choice
  /** Who names the server: a variable, or a file. */
  readonly origin: string
  /** Told in one line, before anything is done, which database it is. */
  readonly say: (line: string) => void
}

const restoredLine = `restored: what was given out before is not given again (epochs, incarnations, generations and revisions are ${raisedBy} higher), and who watched lists again`

/** What happened, in one line. Throws `UsageError` with what is wrong with the database. */
export const migrateCommand = async (options: MigrateOptions): Promise<string> => {
  const { choice, isCheck, isRestored, origin, runtimeRole, say } = options
  const revokedKeys = revokedOf(options)
  if (choice._tag === "Embedded" && runtimeRole !== undefined) {
    throw new UsageError(
      "--runtime-role: the embedded database is its process' own, and has no roles for others; set DATABASE_URL to use a server"
    )
  }
  const open = await openerOf(choice)
  say(announce(choice, origin))
  if (choice._tag === "Embedded" && isCheck && !fs.existsSync(path.join(choice.directory, "PG_VERSION"))) {
    throw new UsageError(`${choice.directory}: there is no database; run \`stormglass migrate\`, or set DATABASE_URL`)
  }
  // The driver is loaded by those who need it: a sweep does not.
  const { migrate, requireReady, unguarded } = await import("../postgres/migrate.ts")
  const done = Effect.scoped(
    Effect.flatMap(open, (connection) =>
      Effect.tap(
        isCheck
          ? Effect.as(requireReady({ connection }), "the schema is what this program needs")
          : Effect.map(
              migrate({ connection, isRestored, revokedKeys, ...(runtimeRole === undefined ? {} : { runtimeRole }) }),
              ({ from, to }) => {
                const how =
                  from === to
                    ? `the schema is version ${to}: nothing to do`
                    : `the schema went from version ${from} to ${to}`
                return isRestored ? `${how}; ${restoredLine}${revokedLine(revokedKeys)}` : how
              }
            ),
        () =>
          choice._tag === "Embedded" || (!isCheck && runtimeRole === undefined)
            ? Effect.void
            : Effect.map(unguarded({ connection, role: runtimeRole }), (why) => {
                if (why !== undefined) say(`warning: ${why}`)
              })
      )
    )
  )
  return await Effect.runPromise(
    Effect.match(done, {
      onSuccess: (text) => () => text,
      onFailure: (refused) => () => {
        const isInside = choice._tag === "Embedded" && refused._tag === "DatabaseRefused"
        throw new UsageError(isInside ? `${choice.directory}: ${refused.detail}` : refused.message)
      }
    })
  ).then((end) => end())
}

function revokedOf({ isRestored, revokeKeys }: MigrateOptions): RevokedKeys {
  if (revokeKeys === undefined) return []
  if (!isRestored)
    throw new UsageError("--revoke-keys: goes with --restored; `stormglass keys revoke` ends a key otherwise")
  if (revokeKeys === "all") return "all"
  const ids = revokeKeys.split(",").map((id) => id.trim())
  const wrong = ids.find((id) => !idPattern.test(id))
  if (wrong === undefined) return ids
  throw new UsageError(`--revoke-keys: "${wrong}": an id of a key is 16 hexadecimal digits, without its secret; or all`)
}

function revokedLine(revokedKeys: RevokedKeys): string {
  if (revokedKeys === "all") return "; every API key is revoked: `stormglass keys first --again` makes one"
  return revokedKeys.length === 0 ? "" : `; revoked: ${revokedKeys.join(", ")}`
}
