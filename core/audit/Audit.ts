/**
 * The audit log: who did what, when, to which revision. Append-only, and each entry carries the hash of the one before.
 *
 * - U1 What a request did and its entry are one transaction. The entry waits in `audit_pending`, because a chain that every request
 *   extended would let only one of them at a time through.
 * - U2 The leader seals what waits, under its fence: the entry leaves `audit_pending` and joins `audit_log` with the next number and the hash
 *   of everything before it, in one transaction. Nothing in `audit_log` ever changes.
 * - U3 Whoever keeps one hash can tell later whether anything up to it was changed, dropped or put in (`brokenAt`).
 */
import { sha256 } from "@noble/hashes/sha2.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import * as Effect from "effect/Effect"
import { auditBatchMax } from "../Limits.ts"
import { makeUid } from "../instance/makeUid.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import type { Grant } from "../lease/LeaseKeeper.ts"
import * as Metrics from "../Metrics.ts"
import { clockTimestamp, isIn } from "../ports/Condition.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { type RowOf, integer, make, nullable, text, timestamp } from "../ports/Table.ts"

const entry = {
  id: text,
  at: timestamp,
  principal: text,
  /** The API key; null for other credentials. */
  keyId: nullable(text),
  /** Names the endpoint: "fleets/put". */
  action: text,
  /** Empty for what belongs to no project. */
  project: text,
  path: text,
  /** The idempotency key of the request. */
  requestId: text,
  status: integer,
  /** The revision of what was changed: generation of a fleet, revision of an instance; null where there is none. */
  revision: nullable(integer)
}

export const auditPending = make("audit_pending", {
  columns: entry,
  primaryKey: ["id"],
  indexes: [["at", "id"]],
  isFed: false
})
export type Entry = RowOf<typeof auditPending>

export const auditLog = make("audit_log", {
  columns: { seq: integer, ...entry, previousHash: text, hash: text },
  primaryKey: ["seq"],
  unique: [["id"]],
  indexes: [["project", "at", "id"]],
  isFed: false,
  isAppendOnly: true
})
export type Sealed = RowOf<typeof auditLog>

/** What the first entry follows. */
export const origin = { seq: 0, hash: "0".repeat(64) } as const

export const record = (transaction: Transaction, told: Omit<Entry, "id" | "at">): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const id = yield* makeUid("audit")
    yield* transaction.insert(auditPending, { id, at: clockTimestamp, ...told })
  })

/** Pure: an entry as the next of the chain. */
export const seal = (previous: Pick<Sealed, "seq" | "hash">, told: Entry): Sealed => {
  const sealed = { seq: previous.seq + 1, ...told, previousHash: previous.hash }
  return { ...sealed, hash: bytesToHex(sha256(utf8ToBytes(canonicalJson(sealed)))) }
}

/** Pure: the first entry that does not follow the one before; undefined when the chain is whole. */
export const brokenAt = (
  entries: ReadonlyArray<Sealed>,
  after: Pick<Sealed, "seq" | "hash"> = origin
): Sealed | undefined => {
  let previous = after
  for (const sealed of entries) {
    const { hash, previousHash, seq, ...told } = sealed
    const right = seal(previous, told)
    if (seq !== right.seq || previousHash !== right.previousHash || hash !== right.hash) return sealed
    previous = sealed
  }
  return undefined
}

/** Seals what waits, a batch at a time; how many. */
export const sweep = (grant: Pick<Grant, "fences">): Effect.Effect<number, StorageError, Storage> =>
  Effect.gen(function* () {
    const { transaction } = yield* Storage
    const batch = transaction(
      Effect.fnUntraced(function* (tx) {
        const waiting = yield* tx.select(auditPending, { orderBy: ["at", "id"], limit: auditBatchMax })
        if (waiting.length === 0) return 0
        const [last] = yield* tx.select(auditLog, { orderBy: [{ column: "seq", direction: "desc" }], limit: 1 })
        const sealed: Array<Sealed> = []
        for (const told of waiting) sealed.push(seal(sealed.at(-1) ?? last ?? origin, told))
        yield* tx.insert(auditLog, sealed)
        yield* tx.delete(auditPending, {
          where: (row) =>
            isIn(
              row.id,
              waiting.map(({ id }) => id)
            )
        })
        return sealed.length
      }),
      { label: "audit/seal", fences: grant.fences }
    )
    return yield* Effect.repeat(
      Effect.tap(batch, (count) => Metrics.increment(Metrics.auditSealed, count)),
      { while: (count) => count === auditBatchMax }
    )
  })
