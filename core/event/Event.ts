/**
 * Events: what has happened to fleets and instances, for people who ask later why.
 *
 * - E1 An event and the change that it tells of are one transaction: none is lost, and none tells of what did not happen.
 * - E2 Told is what people ask about: what ended without having been asked to, what took its place, what was given up, and what was
 *   wished. A start that follows a wish, a heartbeat and a renewal are not: they would cost each of them a write.
 * - E3 An event is never changed. The leader forgets it after `eventRetentionMillis`.
 *
 * Which events a change makes is said by those who change: `instance/instanceEvents`, `fleet/fleetEvents`.
 */
import * as Effect from "effect/Effect"
import { reasons } from "../instance/Instance.ts"
import { makeUid } from "../instance/makeUid.ts"
import { eventInsertMax, eventPurgeBatchMax, eventRetentionMillis } from "../Limits.ts"
import { clockTimestamp, isNotNull, le, or, subtract } from "../ports/Condition.ts"
import type { Storage, StorageError, Transaction, TransactionOptions } from "../ports/Storage.ts"
import * as Parking from "../reconcile/Parking.ts"
import { type RowOf, literals, make, nullable, text, timestamp } from "../ports/Table.ts"

/** Of an instance why it is in ERROR, that it runs after that, that another takes its place; of both that nobody works on it any more. */
export const kinds = [
  ...reasons,
  "Recovered",
  "Replaced",
  "Parked",
  "Redriven",
  "Scaled",
  "Paused",
  "Resumed",
  "DeletionRequested",
  "Removed"
] as const
export type Kind = (typeof kinds)[number]

export const events = make("events", {
  columns: {
    id: text,
    project: text,
    /** The id of the fleet that it is about, or that the instance is of. */
    fleet: nullable(text),
    /** The uid of the instance that it is about; null where it is about a fleet. */
    instance: nullable(text),
    kind: literals(...kinds),
    detail: text,
    at: timestamp
  },
  primaryKey: ["project", "at", "id"],
  tenant: "project",
  indexes: [["project", "fleet", "at", "id"], ["project", "instance", "at", "id"], ["at"]],
  isFed: false,
  checks: { isOfSomething: (row) => or(isNotNull(row.fleet), isNotNull(row.instance)) }
})
export type Event = RowOf<typeof events>

/** What is told; when is for the database to say. */
export type Told = Omit<Event, "id" | "at">

/** Within the transaction of the change. Nothing is asked of the store where there is nothing to tell. */
export const record = (transaction: Transaction, told: ReadonlyArray<Told>): Effect.Effect<void, StorageError> =>
  Effect.gen(function* () {
    const rows = yield* Effect.forEach(told, (each) =>
      Effect.map(makeUid("event"), (id) => ({
        ...each,
        id,
        at: clockTimestamp,
        detail: Parking.causeOf(each.detail)
      }))
    )
    for (let from = 0; from < rows.length; from += eventInsertMax) {
      yield* transaction.insert(events, rows.slice(from, from + eventInsertMax))
    }
  })

/** Forgets what is older than is kept, a batch at a time; how many. */
export const purge = (
  once: Storage["Service"]["once"],
  fences: NonNullable<TransactionOptions["fences"]>
): Effect.Effect<number, StorageError> =>
  Effect.gen(function* () {
    const options = { label: "events/purge", fences }
    let count = 0
    for (;;) {
      const over = yield* once(
        (tx) =>
          tx.select(events, {
            where: (row) => le(row.at, subtract(clockTimestamp, eventRetentionMillis * 1_000)),
            orderBy: ["at"],
            limit: eventPurgeBatchMax
          }),
        options
      )
      const last = over.at(-1)
      if (last === undefined) return count
      const forgotten = yield* once((tx) => tx.delete(events, { where: (row) => le(row.at, last.at) }), options)
      count += forgotten.length
      if (over.length < eventPurgeBatchMax) return count
    }
  })
