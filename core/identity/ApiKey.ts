/**
 * API keys. Who makes one draws its secret and keeps it; the control plane is told its hash and nothing else, so that no secret is ever
 * in the store, in a stored answer, in a log or in a trace.
 *
 * - K1 What a key may do never changes; it may end sooner.
 * - K2 A key whose end has come by the database's clock, or that was revoked, is refused everywhere within `keyCacheMillis`.
 * - K3 A rotation makes a key of the same principal with the same rights, and ends the old one after an overlap.
 *
 * A secret has 256 bits of chance: its plain SHA-256 cannot be searched, and salt or stretching would add nothing.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { add, and, type Condition, clockTimestamp, eq, gt, isNull, or, type Row } from "../ports/Condition.ts"
import type { Storage, StorageError, Transaction } from "../ports/Storage.ts"
import { type RowOf, json, make, nullable, text, timestamp } from "../ports/Table.ts"
import { Scope, Verb } from "./Access.ts"

export const apiKeys = make("api_keys", {
  columns: {
    id: text,
    /** Who comes with it; keys of one principal share its limits and its idempotency keys. */
    principal: text,
    verbs: json(Schema.Array(Verb)),
    projects: json(Scope),
    /** SHA-256 of the secret, in hexadecimal. */
    hash: text,
    createdAt: timestamp,
    expiresAt: nullable(timestamp),
    revokedAt: nullable(timestamp)
  },
  primaryKey: ["id"],
  isFed: false
})
export type ApiKey = RowOf<typeof apiKeys>

/** What a key is, apart from its secret. */
export type Wanted = Pick<ApiKey, "id" | "principal" | "verbs" | "projects" | "hash">

export const idPattern = /^[0-9a-f]{16}$/
export const hashPattern = /^[0-9a-f]{64}$/

export interface Token {
  readonly id: string
  readonly secret: string
}

/** "sg_<id>_<secret>", both in hexadecimal: a shape that scanners for leaked secrets can know. */
export const parse = (token: string): Token | undefined => {
  const match = /^sg_([0-9a-f]{16})_([0-9a-f]{64})$/.exec(token)
  return match === null ? undefined : { id: match[1]!, secret: match[2]! }
}

export const format = ({ id, secret }: Token): string => `sg_${id}_${secret}`

export const hashOf = (secret: string): string => bytesToHex(sha256(utf8ToBytes(secret)))

/** Compares in a time that does not tell how much is right. */
export const isOf = ({ hash }: Pick<ApiKey, "hash">, { secret }: Token): boolean => {
  const shown = hashOf(secret)
  let difference = shown.length ^ hash.length
  for (let index = 0; index < shown.length; index++) difference |= shown.charCodeAt(index) ^ hash.charCodeAt(index)
  return difference === 0
}

const isGood = (row: Row<ApiKey>): Condition =>
  and(isNull(row.revokedAt), or(isNull(row.expiresAt), gt(row.expiresAt, clockTimestamp)))

/** The key, while it is good. */
export const look = (once: Storage["Service"]["once"], id: string): Effect.Effect<ApiKey | undefined, StorageError> =>
  Effect.map(
    once((tx) => tx.select(apiKeys, { where: (row) => and(eq(row.id, id), isGood(row)) }), { label: "keys/look" }),
    (found) => found[0]
  )

/** Nothing when there is a key with this id, whatever became of it. */
export const create = (
  transaction: Transaction,
  wanted: Wanted,
  expiresAt: ReturnType<typeof endsIn> | number | null
): Effect.Effect<ApiKey | undefined, StorageError> =>
  Effect.map(
    transaction.insert(
      apiKeys,
      { ...wanted, createdAt: clockTimestamp, expiresAt, revokedAt: null },
      { onConflict: { target: ["id"], action: "nothing" } }
    ),
    (rows) => rows[0]
  )

export const endsIn = (seconds: number) => add(clockTimestamp, seconds * 1_000_000)

/** The key as it is then; nothing when there is none. Revoking twice keeps the first time. */
export const revoke = (transaction: Transaction, id: string): Effect.Effect<ApiKey | undefined, StorageError> =>
  Effect.gen(function* () {
    const [revoked] = yield* transaction.update(apiKeys, {
      where: (row) => and(eq(row.id, id), isNull(row.revokedAt)),
      set: () => ({ revokedAt: clockTimestamp })
    })
    return revoked ?? (yield* transaction.get(apiKeys, { id }))
  })

/** Another secret for the same principal; the old one ends after `overlapSeconds`, or when it would have. Nothing when the old one is not good, or the new id is taken. */
export const rotate = (
  transaction: Transaction,
  id: string,
  next: { readonly id: string; readonly hash: string; readonly overlapSeconds: number }
): Effect.Effect<ApiKey | undefined, StorageError> =>
  Effect.gen(function* () {
    const [old] = yield* transaction.select(apiKeys, {
      where: (row) => and(eq(row.id, id), isGood(row)),
      lock: "for update"
    })
    if (old === undefined) return undefined
    const { principal, projects, verbs } = old
    const made = yield* create(
      transaction,
      { id: next.id, hash: next.hash, principal, projects, verbs },
      // It lives as long as the old one was meant to.
      old.expiresAt
    )
    if (made === undefined) return undefined
    yield* transaction.update(apiKeys, {
      where: (row) => and(eq(row.id, id), or(isNull(row.expiresAt), gt(row.expiresAt, endsIn(next.overlapSeconds)))),
      set: () => ({ expiresAt: endsIn(next.overlapSeconds) })
    })
    return made
  })
