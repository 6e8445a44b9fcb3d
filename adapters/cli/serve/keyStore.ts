/** Keys that are made beside the API, by whoever reaches the database or the directory of the control plane. */
import crypto from "node:crypto"
import fs from "node:fs"
import path from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { everyProject, verbs } from "../../../core/identity/Access.ts"
import * as ApiKey from "../../../core/identity/ApiKey.ts"
import { and, clockTimestamp, gt, isNull, or } from "../../../core/ports/Condition.ts"
import { Storage, type StorageError } from "../../../core/ports/Storage.ts"
import { reasonOf } from "../../../reports/saveFailure.ts"
import { UsageError } from "../Usage.ts"

export type Key = Redacted.Redacted

/** A new key; nobody has been told of it yet. */
export const makeToken = (): ApiKey.Token => ({
  id: crypto.randomBytes(8).toString("hex"),
  secret: crypto.randomBytes(32).toString("hex")
})

/** For one who may do everything. */
export const storeToken = (
  { id, secret }: ApiKey.Token,
  principal: string,
  its: ApiKey.Wanted["verbs"] = verbs
): Effect.Effect<void, StorageError, Storage> =>
  Effect.gen(function* () {
    const { transaction } = yield* Storage
    const wanted = { id, principal, verbs: its, projects: [everyProject], hash: ApiKey.hashOf(secret) }
    yield* transaction((tx) => ApiKey.create(tx, wanted, null), { label: "keys/first" })
  })

export const endToken = ({ id }: ApiKey.Token): Effect.Effect<void, StorageError, Storage> =>
  Effect.gen(function* () {
    const { transaction } = yield* Storage
    yield* transaction((tx) => ApiKey.revoke(tx, id), { label: "keys/end" })
  })

/** True when somebody can make keys by the API. */
export const isAdministered: Effect.Effect<boolean, StorageError, Storage> = Effect.gen(function* () {
  const { once } = yield* Storage
  const good = yield* once(
    (tx) =>
      tx.select(ApiKey.apiKeys, {
        where: (row) => and(isNull(row.revokedAt), or(isNull(row.expiresAt), gt(row.expiresAt, clockTimestamp)))
      }),
    { label: "keys/administered" }
  )
  return good.some(({ projects, verbs }) => verbs.includes("admin") && projects.includes(everyProject))
})

export const keyFile = (directory: string): string => path.join(directory, "key")

/** The key in the directory of a control plane on this machine; undefined when there is none. */
export const readKey = (directory: string): Key | undefined => {
  try {
    return Redacted.make(fs.readFileSync(keyFile(directory), "utf8").trim())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw new UsageError(`${keyFile(directory)}: cannot be read: ${reasonOf(error)}`)
  }
}

/** For this user alone. */
export const writeKey = (directory: string, token: ApiKey.Token): void => {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = keyFile(directory)
  const next = `${file}.${process.pid}`
  fs.writeFileSync(next, `${ApiKey.format(token)}\n`, { mode: 0o600 })
  fs.renameSync(next, file)
}

/**
 * Makes the first key, where nobody could make one by the API. It is kept in a file, and shown this once where that is asked for: what a
 * terminal forgets, a collector of logs keeps.
 */
export const firstKey = (directory: string, isShown: boolean): Effect.Effect<void, StorageError, Storage> =>
  Effect.gen(function* () {
    if (yield* isAdministered) return
    const token = makeToken()
    yield* Effect.sync(() => writeKey(directory, token))
    yield* storeToken(token, "admin")
    const kept = `kept in ${keyFile(directory)} for commands typed here`
    if (!isShown)
      return yield* Effect.logInfo(`a key of admin, who may do everything, is ${kept} (--print-key shows it)`)
    yield* Effect.sync(() =>
      process.stderr.write(`key: ${ApiKey.format(token)}\n  of admin, who may do everything; said this once, ${kept}\n`)
    )
  })

/** Where there is no key and it is not for a node to make one. */
export const warnUnadministered: Effect.Effect<void, StorageError, Storage> = Effect.flatMap(isAdministered, (isSo) =>
  isSo ? Effect.void : Effect.logWarning("nobody has a key yet: `stormglass keys first`, with DATABASE_URL, makes one")
)
