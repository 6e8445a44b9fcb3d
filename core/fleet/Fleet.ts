/**
 * Fleets: so many instances of one kind.
 *
 * - F1 `generation` counts the changes of what is wanted, `scaledGeneration` says up to which of them the number of live
 *   instances was made right, `fleet_statuses.observedGeneration` for which the counters were taken.
 * - F2 Each field has one writer: the API writes what is wanted, the owner of the bucket `scaledGeneration`, the leader the
 *   statuses, which is why these are a table of their own. Everybody may set `dueAt`, which only says "look".
 * - F3 The spec of a fleet never changes, so that what a fleet is depends on nothing but its last desired count.
 * - F4 A fleet whose deletion was asked for wants nothing any more, and its row leaves when no instance of it is left. Its name is then free;
 *   `createdAt` tells a fleet from an earlier one of that name.
 * - F5 For a fleet that is paused nothing is created and nothing taken away, from the commit on that pauses it, unless it is deleted.
 */
import * as Effect from "effect/Effect"
import { isPlaced, placementOf } from "../bucket/Bucket.ts"
import { fleetDesiredMax, reconcileProgressMillis } from "../Limits.ts"
import { add, and, clockTimestamp, eq, ge, isIn, isNotNull, isNull, le } from "../ports/Condition.ts"
import { Spec } from "../ports/Provider.ts"
import * as Parking from "../reconcile/Parking.ts"
import type { StorageError, Transaction } from "../ports/Storage.ts"
import { type RowOf, integer, json, literals, make, nullable, text, timestamp } from "../ports/Table.ts"

export const fleets = make("fleets", {
  columns: {
    /** `fleetIdOf(project, name)`. */
    id: text,
    project: text,
    name: text,
    bucket: integer,
    bucketGroup: integer,
    desired: integer,
    spec: json(Spec),
    generation: integer,
    scaledGeneration: integer,
    createdAt: timestamp,
    updatedAt: timestamp,
    /** When its owner must look at it; null while there is nothing to do. */
    dueAt: nullable(timestamp),
    deletionRequestedAt: nullable(timestamp),
    /** Since when nothing is created or taken away for it; null while it is worked on. */
    pausedAt: nullable(timestamp),
    ...Parking.columns
  },
  primaryKey: ["id"],
  tenant: "project",
  unique: [["project", "name"]],
  indexes: [["dueAt"], ["updatedAt"], ["project", "id"], ["parkedAt"]],
  topics: { dueAt: "due", updatedAt: "moved" },
  checks: {
    isPlaced,
    desiredIsBounded: (row) => and(ge(row.desired, 0), le(row.desired, fleetDesiredMax)),
    scaledIsPast: (row) => le(row.scaledGeneration, row.generation),
    ...Parking.checks
  }
})
export type Fleet = RowOf<typeof fleets>

/** What the leader last counted. */
export const fleetStatuses = make("fleet_statuses", {
  columns: {
    id: text,
    observedGeneration: integer,
    /** Everything that is not being deleted. */
    live: integer,
    running: integer,
    error: integer,
    deleting: integer,
    /** Of those in error, what nobody works on any more; null from a program that does not count it. */
    parked: nullable(integer),
    /** Whether as many run as are desired, for its last generation, and since when; null from a program that does not say. */
    ready: nullable(literals("True", "False")),
    readyChangedAt: nullable(timestamp),
    updatedAt: timestamp
  },
  primaryKey: ["id"],
  tenant: { prefixOf: "id" }
})
export type FleetStatus = RowOf<typeof fleetStatuses>

/** Nobody works on it. What a program changed since that knows of no parking is wanted anew all the same. */
export const isParked = ({ parkedAt, updatedAt }: Pick<Fleet, "parkedAt" | "updatedAt">): boolean =>
  parkedAt !== null && parkedAt >= updatedAt

export const fleetIdOf = (project: string, name: string): string => `${project}/${name}`

/** Creates the fleet; nothing when there is one of that name. */
export const create = (
  transaction: Transaction,
  {
    isPaused = false,
    ...wanted
  }: Pick<Fleet, "project" | "name" | "desired" | "spec"> & { readonly isPaused?: boolean }
): Effect.Effect<Fleet | undefined, StorageError> => {
  const id = fleetIdOf(wanted.project, wanted.name)
  return Effect.map(
    transaction.insert(
      fleets,
      {
        ...wanted,
        id,
        ...placementOf(id),
        generation: 1,
        scaledGeneration: 0,
        createdAt: clockTimestamp,
        updatedAt: clockTimestamp,
        dueAt: clockTimestamp,
        deletionRequestedAt: null,
        pausedAt: isPaused ? clockTimestamp : null,
        ...Parking.unfailed
      },
      { onConflict: { target: ["id"], action: "nothing" } }
    ),
    (rows) => rows[0]
  )
}

/** Another desired count is another generation, and so are a pause and its end. The caller holds the lock of what was read. */
export const setDesired = (
  transaction: Transaction,
  read: Pick<Fleet, "id" | "pausedAt">,
  { desired, isPaused }: { readonly desired: number; readonly isPaused: boolean }
): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.update(fleets, {
    where: (row) => eq(row.id, read.id),
    set: (row) => ({
      desired,
      pausedAt: isPaused ? (read.pausedAt ?? clockTimestamp) : null,
      generation: add(row.generation, 1),
      updatedAt: clockTimestamp,
      dueAt: clockTimestamp,
      ...Parking.unfailed
    })
  })

/** Asks for the end of the fleet: nothing is desired of it any more. One that was asked already stays as it is. */
export const requestDeletion = (
  transaction: Transaction,
  id: string
): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.update(fleets, {
    where: (row) => and(eq(row.id, id), isNull(row.deletionRequestedAt)),
    set: (row) => ({
      desired: 0,
      generation: add(row.generation, 1),
      deletionRequestedAt: clockTimestamp,
      updatedAt: clockTimestamp,
      dueAt: clockTimestamp,
      ...Parking.unfailed
    })
  })

/** The end of its deletion. The caller holds its lock and has seen that no instance of it is left. */
export const remove = (transaction: Transaction, read: Fleet): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.delete(fleets, {
    where: (row) => and(eq(row.id, read.id), isNotNull(row.deletionRequestedAt))
  })

/** The number of live instances is right for the generation that was read, under its lock. One that is to leave is looked at again. */
export const setScaled = (transaction: Transaction, read: Fleet): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.update(fleets, {
    where: (row) => eq(row.id, read.id),
    set: () => ({
      scaledGeneration: read.generation,
      ...Parking.unfailed,
      updatedAt: clockTimestamp,
      dueAt: read.deletionRequestedAt === null ? null : add(clockTimestamp, reconcileProgressMillis * 1_000)
    })
  })

/** There is nothing to do for it until somebody says so. The caller holds its lock. */
export const setLooked = (transaction: Transaction, read: Fleet): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.update(fleets, { where: (row) => eq(row.id, read.id), set: () => ({ ...Parking.unfailed, dueAt: null }) })

/** Says "look". Before instances of the fleet are touched, so that all lock the fleet first. */
export const markDue = (
  transaction: Transaction,
  ids: ReadonlyArray<string>,
  dueInMillis: number
): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.update(fleets, {
    where: (row) => isIn(row.id, ids.toSorted()),
    set: () => ({ dueAt: add(clockTimestamp, dueInMillis * 1_000) })
  })

/** Nothing is to be done for what was read, as it is parked. */
export const settleParked = (
  transaction: Transaction,
  read: Fleet
): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.update(fleets, {
    where: (row) => and(eq(row.id, read.id), isNotNull(row.parkedAt), isNotNull(row.dueAt)),
    set: () => ({ dueAt: null })
  })

/** A new try, as if nothing had failed; also for what became of its instances. */
export const redrive = (transaction: Transaction, id: string): Effect.Effect<ReadonlyArray<Fleet>, StorageError> =>
  transaction.update(fleets, {
    where: (row) => eq(row.id, id),
    set: () => ({ ...Parking.unfailed, updatedAt: clockTimestamp, dueAt: clockTimestamp })
  })
