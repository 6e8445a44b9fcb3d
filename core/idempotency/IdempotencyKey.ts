/**
 * Idempotency keys: their table, the judgement on a key that is already there, and their statements.
 *
 * - D1 A key is claimed before anything is done for it, and finished in the transaction that does it.
 * - D2 A claim is a small lease on the database's clock. Whoever takes it over raises its epoch, and the one who lost it can no
 *   longer finish; as finishing and doing are one transaction, neither can it do.
 * - D3 A finished key never changes until it has expired.
 *
 * The only recovery point of a request is its claim, because all that a request does is rows in one transaction; what happens
 * outside is the work of reconcilers.
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import { idempotencyClaimMillis, idempotencyKeyCharsMax, idempotencyPurgeBatchMax } from "../Limits.ts"
import * as Mark from "../facts/Mark.ts"
import * as Metrics from "../Metrics.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import {
  add,
  and,
  clockTimestamp,
  type Condition,
  eq,
  gt,
  isIn,
  isNotNull,
  isNull,
  le,
  or,
  type Row
} from "../ports/Condition.ts"
import type { Storage, StorageError, Transaction, TransactionOptions } from "../ports/Storage.ts"
import { type RowOf, integer, literals, make, nullable, text, timestamp } from "../ports/Table.ts"

export const idempotencyKeys = make("idempotency_keys", {
  columns: {
    /** Project, principal and route: keys of different scopes never meet. */
    scope: text,
    key: text,
    fingerprint: text,
    state: literals("executing", "finished"),
    /** The process that executes the request, or did. */
    holder: text,
    epoch: integer,
    claimedAt: timestamp,
    claimExpiresAt: timestamp,
    status: nullable(integer),
    body: nullable(text),
    createdAt: timestamp,
    expiresAt: timestamp
  },
  primaryKey: ["scope", "key"],
  indexes: [["expiresAt"]],
  isFed: false,
  checks: {
    finishedHasAnswer: (row) =>
      or(
        and(eq(row.state, "executing"), isNull(row.status), isNull(row.body)),
        and(eq(row.state, "finished"), isNotNull(row.status), isNotNull(row.body))
      )
  }
})
export type IdempotencyKey = RowOf<typeof idempotencyKeys>

/** An answer as it is stored and replayed: the exact text of the body. */
export interface Answer {
  readonly status: number
  readonly body: string
  /** Of what it shows, for the audit; not stored with the key. */
  readonly revision?: number | null
  /** Where it was done, where only that tells; for the audit. */
  readonly project?: string
}

export interface Identity {
  readonly scope: string
  readonly key: string
}

/** Why a key is refused, or nothing. Printable ASCII only, so that it survives every proxy and log. */
export const problem = (key: string | undefined): string | undefined => {
  if (key === undefined) return "an idempotency key is required: send X-Idempotency-Key or Idempotency-Key"
  if (key.length === 0) return "the idempotency key is empty"
  if (key.length > idempotencyKeyCharsMax) {
    return `the idempotency key has ${key.length} characters, at most ${idempotencyKeyCharsMax} are allowed`
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    return key.includes(", ")
      ? "the idempotency key holds a comma and a space, as two headers of one name do: send one"
      : "the idempotency key may hold printable ASCII characters only, and no spaces"
  }
  return undefined
}

const purges = Mark.sometimes("idempotency keys purged after their retention")

/** What a request is, apart from its key: the same for a true retry, another for another request. */
export const fingerprintOf = (request: {
  readonly method: string
  readonly path: string
  readonly scope: string
  readonly body: unknown
}): string =>
  bytesToHex(sha256(utf8ToBytes(canonicalJson([request.method, request.path, request.scope, request.body]))))

export type Judgement =
  /** The first request has its answer: give it again. */
  | { readonly _tag: "Replay"; readonly answer: Answer }
  /** Another request has used the key. */
  | { readonly _tag: "Mismatch" }
  /** The first request is still being executed. */
  | { readonly _tag: "InProgress" }

/** What to do about a key that could not be claimed. */
export const judge = (row: IdempotencyKey, fingerprint: string): Judgement => {
  if (row.fingerprint !== fingerprint) return { _tag: "Mismatch" }
  if (row.state === "finished") return { _tag: "Replay", answer: { status: row.status!, body: row.body! } }
  return { _tag: "InProgress" }
}

type Once = Storage["Service"]["once"]

/**
 * Claims the key for `holder`: creates it, takes over an abandoned claim of the same request, or starts anew on a key that has
 * expired. The key is kept for `keptMillis` from now. Returns nothing when somebody else has the key.
 */
export const claim = (
  once: Once,
  request: Identity & { readonly fingerprint: string; readonly holder: string; readonly keptMillis: number }
): Effect.Effect<IdempotencyKey | undefined, StorageError> => {
  const claimed = {
    fingerprint: request.fingerprint,
    holder: request.holder,
    claimedAt: clockTimestamp,
    claimExpiresAt: add(clockTimestamp, idempotencyClaimMillis * 1_000)
  }
  const fresh = {
    ...claimed,
    state: "executing" as const,
    status: null,
    body: null,
    createdAt: clockTimestamp,
    expiresAt: add(clockTimestamp, request.keptMillis * 1_000)
  }
  return Effect.map(
    once(
      (transaction) =>
        transaction.insert(
          idempotencyKeys,
          { scope: request.scope, key: request.key, epoch: 1, ...fresh },
          {
            onConflict: {
              target: ["scope", "key"],
              action: "update",
              set: (existing) => ({ ...fresh, epoch: add(existing.epoch, 1) }),
              where: (existing) =>
                or(
                  and(
                    eq(existing.state, "executing"),
                    le(existing.claimExpiresAt, clockTimestamp),
                    eq(existing.fingerprint, request.fingerprint)
                  ),
                  and(le(existing.expiresAt, clockTimestamp), le(existing.claimExpiresAt, clockTimestamp))
                )
            }
          }
        ),
      { label: "idempotency/claim" }
    ),
    (rows) => rows[0]
  )
}

export const look = (once: Once, { scope, key }: Identity): Effect.Effect<IdempotencyKey | undefined, StorageError> =>
  once((transaction) => transaction.get(idempotencyKeys, { scope, key }), { label: "idempotency/look" })

/** The row of a key that has its answer and has not expired: by D3 it is what it will be. Writes nothing, and waits for nobody. */
export const lookFinished = (
  once: Once,
  { scope, key }: Identity
): Effect.Effect<IdempotencyKey | undefined, StorageError> =>
  Effect.map(
    once(
      (transaction) =>
        transaction.select(idempotencyKeys, {
          where: (row) =>
            and(eq(row.scope, scope), eq(row.key, key), eq(row.state, "finished"), gt(row.expiresAt, clockTimestamp))
        }),
      { label: "idempotency/look" }
    ),
    (rows) => rows[0]
  )

/** Stores the answer, if the claim is still ours; returns nothing when it was taken over. */
export const finish = (
  transaction: Transaction,
  claimed: Identity & { readonly epoch: number },
  answer: Answer
): Effect.Effect<IdempotencyKey | undefined, StorageError> =>
  Effect.map(
    transaction.update(idempotencyKeys, {
      where: (row) =>
        and(
          eq(row.scope, claimed.scope),
          eq(row.key, claimed.key),
          eq(row.state, "executing"),
          eq(row.epoch, claimed.epoch)
        ),
      set: () => ({ state: "finished" as const, status: answer.status, body: answer.body })
    }),
    (rows) => rows[0]
  )

/**
 * Removes keys past their time; one that is being executed stays. Returns how many. So many at once that a statement ends in time,
 * however long nobody has led.
 */
export const purge = (once: Once, fences: NonNullable<TransactionOptions["fences"]>) =>
  Effect.gen(function* () {
    const options = { label: "idempotency/purge", fences }
    let count = 0
    for (;;) {
      const over = yield* once(
        (tx) => tx.select(idempotencyKeys, { where: isOver, orderBy: ["expiresAt"], limit: idempotencyPurgeBatchMax }),
        options
      )
      if (over.length > 0) {
        const scopes = [...new Set(over.map(({ scope }) => scope))]
        const keys = over.map(({ key }) => key)
        // What was claimed anew since then is not over any more.
        const removed = yield* once(
          (tx) =>
            tx.delete(idempotencyKeys, {
              where: (row) => and(isIn(row.scope, scopes), isIn(row.key, keys), isOver(row))
            }),
          options
        )
        count += removed.length
      }
      if (over.length < idempotencyPurgeBatchMax) return count
    }
  }).pipe(
    Effect.tap((count) => Mark.hit(purges, count > 0)),
    Effect.tap((count) => Metrics.increment(Metrics.keysPurged, count))
  )

const isOver = (row: Row<IdempotencyKey>): Condition =>
  and(le(row.expiresAt, clockTimestamp), le(row.claimExpiresAt, clockTimestamp))
