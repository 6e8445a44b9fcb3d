/**
 * Instances: the managed things, one row each from the wish for them to the proof that they are gone.
 *
 * - N1 The state moves only along `moves`; each move names the revision that it read, so that a stale plan changes nothing.
 * - N2 Everything outside is done by uid. A name may be used again while its former bearer is still being deleted;
 *   a uid never is.
 * - N3 A row leaves the table only after its resource is confirmed gone.
 * - N4 `liveName` is the name while the instance is wanted and null from the moment that its deletion is asked for, so that the unique
 *   constraint counts exactly the live ones.
 *
 * Who writes what: the API inserts standalone instances and asks for deletions, the fleet's owner does the same for
 * the instances of its fleet; the owner of the bucket moves the state; the leader's sweep moves RUNNING to ERROR; a
 * heartbeat writes `agent`, `agentIncarnation` and `lastHeartbeatAt`, the first two also what an agent reports. Everybody may set `dueAt`, which only says "look".
 */
import * as Effect from "effect/Effect"
import { assert } from "../assert.ts"
import { isPlaced, placementOf } from "../bucket/Bucket.ts"
import {
  add,
  and,
  clockTimestamp,
  type Condition,
  eq,
  ge,
  isIn,
  isNotNull,
  isNull,
  ne,
  or,
  type Row
} from "../ports/Condition.ts"
import { reconcileProgressMillis } from "../Limits.ts"
import { Spec } from "../ports/Provider.ts"
import * as Parking from "../reconcile/Parking.ts"
import type { StorageError, Transaction } from "../ports/Storage.ts"
import { type RowOf, integer, json, literals, make, nullable, text, timestamp } from "../ports/Table.ts"

export const states = [
  "PENDING",
  "CREATING",
  "RUNNING",
  "MODIFYING",
  "STOPPING",
  "STOPPED",
  "DELETING",
  "DELETED",
  "ERROR"
] as const
export type State = (typeof states)[number]

/** From each state, where it may go. DELETED is where a row leaves the table. */
export const moves: Readonly<Record<State, ReadonlyArray<State>>> = {
  PENDING: ["CREATING", "DELETING"],
  CREATING: ["RUNNING", "ERROR", "DELETING"],
  RUNNING: ["MODIFYING", "STOPPING", "ERROR", "DELETING"],
  MODIFYING: ["RUNNING", "ERROR", "DELETING"],
  STOPPING: ["STOPPED", "ERROR", "DELETING"],
  STOPPED: ["CREATING", "DELETING"],
  DELETING: ["DELETED"],
  DELETED: [],
  ERROR: ["CREATING", "RUNNING", "DELETING"]
}

export const canMove = (from: State, to: State): boolean => moves[from].includes(to)

/** Why an instance is in ERROR. */
export const reasons = ["StartFailed", "Vanished", "HeartbeatStale"] as const
export type Reason = (typeof reasons)[number]

export const instances = make("instances", {
  columns: {
    uid: text,
    project: text,
    name: text,
    liveName: nullable(text),
    /** The id of the fleet; null for a standalone instance. */
    fleet: nullable(text),
    ordinal: nullable(integer),
    bucket: integer,
    bucketGroup: integer,
    state: literals(...states),
    reason: nullable(literals(...reasons)),
    spec: json(Spec),
    /** Counts the changes by everybody but heartbeats. */
    revision: integer,
    /** Counts how often its creation was begun. */
    attempt: integer,
    /** The agent that speaks for it, as which incarnation of itself; null until the first word of one in the present attempt. */
    agent: nullable(text),
    agentIncarnation: nullable(integer),
    lastHeartbeatAt: nullable(timestamp),
    deletionRequestedAt: nullable(timestamp),
    createdAt: timestamp,
    updatedAt: timestamp,
    /** When its owner must look at it; null while there is nothing to do. */
    dueAt: nullable(timestamp),
    ...Parking.columns,
    /** When it last began to be RUNNING, or ceased to be; null for never. */
    readyChangedAt: nullable(timestamp)
  },
  primaryKey: ["uid"],
  tenant: "project",
  unique: [["project", "liveName"]],
  indexes: [["dueAt"], ["fleet"], ["state", "lastHeartbeatAt"], ["updatedAt"], ["project", "uid"], ["parkedAt"]],
  topics: { dueAt: "due", updatedAt: "moved" },
  checks: {
    isPlaced,
    liveOrAskedToGo: (row) =>
      or(
        and(isNotNull(row.liveName), isNull(row.deletionRequestedAt)),
        and(isNull(row.liveName), isNotNull(row.deletionRequestedAt))
      ),
    deletingWasAsked: (row) => or(ne(row.state, "DELETING"), isNotNull(row.deletionRequestedAt)),
    errorHasReason: (row) => or(ne(row.state, "ERROR"), isNotNull(row.reason)),
    agentHasIncarnation: (row) =>
      or(
        and(isNull(row.agent), isNull(row.agentIncarnation)),
        and(isNotNull(row.agent), isNotNull(row.agentIncarnation))
      ),
    runningHasHeartbeat: (row) => or(ne(row.state, "RUNNING"), isNotNull(row.lastHeartbeatAt)),
    fleetHasOrdinals: (row) =>
      or(
        and(isNull(row.fleet), isNull(row.ordinal)),
        // A check that is unknown holds: of an ordinal that is missing nothing else would be false.
        and(isNotNull(row.fleet), isNotNull(row.ordinal), ge(row.ordinal, 0))
      ),
    ...Parking.checks
  }
})
export type Instance = RowOf<typeof instances>

/** The name that is unique among the live: an ordinal of a fleet cannot collide with a standalone name, which has no "/". */
export const liveNameOf = (of: {
  readonly name: string
  readonly fleet: string | null
  readonly ordinal: number | null
}) => (of.fleet === null ? of.name : `${of.fleet}/${of.ordinal}`)

/** What a new instance inherits of one that failed and that it replaces: it begins after a pause. */
export interface Inherited {
  readonly failures: number
  readonly failure: string
  readonly pauseMillis: number
}

/** Inserts wanted instances; those whose name a live one has are left out. Returns the inserted. */
export const create = (
  transaction: Transaction,
  wanted: ReadonlyArray<
    Pick<Instance, "uid" | "project" | "name" | "fleet" | "ordinal" | "spec"> & { readonly inherited?: Inherited }
  >
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  transaction.insert(
    instances,
    wanted.map(({ inherited, ...each }) => ({
      ...each,
      ...placementOf(each.uid),
      liveName: liveNameOf(each),
      state: "PENDING" as const,
      reason: null,
      revision: 1,
      attempt: 0,
      agent: null,
      agentIncarnation: null,
      lastHeartbeatAt: null,
      deletionRequestedAt: null,
      createdAt: clockTimestamp,
      updatedAt: clockTimestamp,
      readyChangedAt: null,
      parkedAt: null,
      ...(inherited === undefined
        ? { failures: null, failure: null, failedAt: null, dueAt: clockTimestamp }
        : {
            failures: inherited.failures,
            failure: inherited.failure,
            failedAt: clockTimestamp,
            dueAt: add(clockTimestamp, inherited.pauseMillis * 1_000)
          })
    })),
    { onConflict: { target: ["project", "liveName"], action: "nothing" } }
  )

/** Asks for the end of these, by uid; those that were asked already stay as they are. Returns the newly asked. */
export const requestDeletion = (
  transaction: Transaction,
  uids: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  transaction.update(instances, {
    where: (row) => and(isIn(row.uid, uids), isNull(row.deletionRequestedAt)),
    set: (row) => ({
      liveName: null,
      deletionRequestedAt: clockTimestamp,
      revision: add(row.revision, 1),
      updatedAt: clockTimestamp,
      dueAt: clockTimestamp,
      ...Parking.unfailed
    })
  })

/**
 * Moves the state of the instance that was read, and only of that one: by uid and revision. Returns nothing when it has changed
 * since. Dies on a move that is not in the table. `failed`: that it failed so often by now, and why.
 */
export const move = (
  transaction: Transaction,
  read: Instance,
  to: State,
  reason: Reason | null,
  failed?: { readonly failures: number; readonly failure: string }
): Effect.Effect<Instance | undefined, StorageError> => {
  assert(canMove(read.state, to), `instance ${read.uid}: ${read.state} cannot become ${to}`)
  return Effect.map(
    transaction.update(instances, {
      where: (row) => and(eq(row.uid, read.uid), eq(row.revision, read.revision), eq(row.state, read.state)),
      set: (row) => ({
        state: to,
        reason,
        revision: add(row.revision, 1),
        updatedAt: clockTimestamp,
        // Whoever moved it goes on with it; another owner, who finds it after a crash, need not be quicker than that.
        dueAt: to === "RUNNING" ? null : add(clockTimestamp, reconcileProgressMillis * 1_000),
        // A new attempt may run anywhere.
        ...(to === "CREATING" ? { attempt: add(row.attempt, 1), agent: null, agentIncarnation: null } : {}),
        // It counts as heard from now, so that it has the whole time to send its first heartbeat.
        ...(to === "RUNNING" ? { lastHeartbeatAt: clockTimestamp } : {}),
        ...(to === "RUNNING" || read.state === "RUNNING" ? { readyChangedAt: clockTimestamp } : {}),
        ...(failed === undefined ? {} : { ...failed, failedAt: clockTimestamp })
      })
    }),
    (rows) => rows[0]
  )
}

/** The last step of a deletion: the row leaves. Returns nothing when it was not there any more. */
export const remove = (transaction: Transaction, read: Instance): Effect.Effect<Instance | undefined, StorageError> => {
  assert(canMove(read.state, "DELETED"), `instance ${read.uid}: ${read.state} cannot leave`)
  return Effect.map(
    transaction.delete(instances, {
      where: (row) => and(eq(row.uid, read.uid), eq(row.revision, read.revision), eq(row.state, read.state))
    }),
    (rows) => rows[0]
  )
}

/** Nothing is left to do for what was read. A wish that came meanwhile has another revision and stays due. */
export const settle = (
  transaction: Transaction,
  read: Instance
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  transaction.update(instances, {
    where: (row) => and(eq(row.uid, read.uid), eq(row.revision, read.revision), eq(row.dueAt, read.dueAt)),
    set: () => ({ dueAt: null })
  })

/** What was read is looked at again at that time, by the database's clock, and not before. A wish that came meanwhile stays due. */
export const postpone = (
  transaction: Transaction,
  read: Instance,
  atMicros: number
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  transaction.update(instances, {
    where: (row) => isAsRead(row, read),
    set: () => ({ dueAt: atMicros })
  })

/** The same, but so long from now. Returns nothing when a wish came meanwhile. */
export const postponeBy = (
  transaction: Transaction,
  read: Instance,
  millis: number
): Effect.Effect<Instance | undefined, StorageError> =>
  Effect.map(
    transaction.update(instances, {
      where: (row) => isAsRead(row, read),
      set: () => ({ dueAt: add(clockTimestamp, millis * 1_000) })
    }),
    (rows) => rows[0]
  )

/** Its start begins now, and not when it was first tried. Returns nothing when it has changed since. */
export const begin = (transaction: Transaction, read: Instance): Effect.Effect<Instance | undefined, StorageError> =>
  Effect.map(
    transaction.update(instances, {
      where: (row) => isAsRead(row, read),
      set: () => ({ updatedAt: clockTimestamp })
    }),
    (rows) => rows[0]
  )

const isAsRead = (row: Row<Instance>, { dueAt, revision, uid }: Instance): Condition =>
  and(eq(row.uid, uid), eq(row.revision, revision), dueAt === null ? isNull(row.dueAt) : eq(row.dueAt, dueAt))

/** It has run for long enough: what failed before does not count any more. */
export const forgetFailures = (
  transaction: Transaction,
  read: Instance
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  transaction.update(instances, {
    where: (row) => isAsRead(row, read),
    set: () => ({ ...Parking.unfailed, dueAt: null })
  })

/** Nobody works on what was read any more, as it has failed too often. Returns nothing when it has changed since. */
export const park = (transaction: Transaction, read: Instance): Effect.Effect<Instance | undefined, StorageError> =>
  Effect.map(
    transaction.update(instances, {
      where: (row) => and(eq(row.uid, read.uid), eq(row.revision, read.revision)),
      set: (row) => ({
        parkedAt: clockTimestamp,
        revision: add(row.revision, 1),
        updatedAt: clockTimestamp,
        dueAt: null
      })
    }),
    (rows) => rows[0]
  )

/** A new try for what is parked, as if nothing had failed. Returns those that were. */
export const redrive = (
  transaction: Transaction,
  uids: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  transaction.update(instances, {
    where: (row) => and(isIn(row.uid, uids), isNotNull(row.parkedAt)),
    set: (row) => ({
      ...Parking.unfailed,
      revision: add(row.revision, 1),
      updatedAt: clockTimestamp,
      dueAt: clockTimestamp
    })
  })
