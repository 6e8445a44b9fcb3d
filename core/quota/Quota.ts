/**
 * Quotas: how much a project may want. A project without one may want anything.
 *
 * - Q1 Who adds to what a project wants locks its quota first, before any fleet, and counts under that lock what is wanted by then: two nodes
 *   that add at once come one after the other, and the second one counts what the first has added.
 * - Q2 What is counted is what is wanted, not what runs: a fleet counts with its desired number, an instance by itself as one, until its
 *   deletion is asked for. A fleet that is being deleted still is one.
 * - Q3 A quota below what is used takes nothing away; it refuses what would add to it. What was under way when the first quota of a project
 *   was set was asked for before it.
 */
import * as Effect from "effect/Effect"
import { and, clockTimestamp, eq, ge, isNull, or } from "../ports/Condition.ts"
import type { StorageError, Transaction } from "../ports/Storage.ts"
import { fleets } from "../fleet/Fleet.ts"
import { instances } from "../instance/Instance.ts"
import { type RowOf, integer, make, nullable, text, timestamp } from "../ports/Table.ts"

export const quotas = make("quotas", {
  columns: {
    project: text,
    /** Null: as many as it likes. */
    fleetsMax: nullable(integer),
    instancesMax: nullable(integer),
    updatedAt: timestamp
  },
  primaryKey: ["project"],
  tenant: "project",
  checks: {
    isNoLess: (row) =>
      and(or(isNull(row.fleetsMax), ge(row.fleetsMax, 0)), or(isNull(row.instancesMax), ge(row.instancesMax, 0)))
  }
})
export type Quota = RowOf<typeof quotas>

export interface Usage {
  readonly fleets: number
  readonly instances: number
}

/** Sets it; null takes the limit away. */
export const set = (
  transaction: Transaction,
  quota: Pick<Quota, "project" | "fleetsMax" | "instancesMax">
): Effect.Effect<Quota, StorageError> =>
  Effect.map(
    transaction.insert(
      quotas,
      { ...quota, updatedAt: clockTimestamp },
      { onConflict: { target: ["project"], action: "update", set: (_, excluded) => excluded } }
    ),
    (rows) => rows[0]!
  )

/** What a project wants. */
export const used = (transaction: Transaction, project: string): Effect.Effect<Usage, StorageError> =>
  Effect.gen(function* () {
    const wanted = yield* transaction.select(fleets, { where: (row) => eq(row.project, project) })
    const alone = yield* transaction.count(instances, (row) =>
      and(eq(row.project, project), isNull(row.fleet), isNull(row.deletionRequestedAt))
    )
    return { fleets: wanted.length, instances: wanted.reduce((sum, { desired }) => sum + desired, alone) }
  })

/** Locks the quota of a project, for who means to add to what it wants; nothing where it has none. */
export const lock = (transaction: Transaction, project: string): Effect.Effect<Quota | undefined, StorageError> =>
  transaction.get(quotas, { project }, { lock: "for update" })

export interface Excess {
  readonly resource: keyof Usage
  readonly used: number
  readonly requested: number
  readonly allowed: number
}

/** Pure: the first limit that would be passed. What takes away, or adds nothing, passes none. */
export const excess = (
  quota: Pick<Quota, "fleetsMax" | "instancesMax">,
  now: Usage,
  added: Usage
): Excess | undefined => {
  const limits = { fleets: quota.fleetsMax, instances: quota.instancesMax }
  for (const resource of ["fleets", "instances"] as const) {
    const allowed = limits[resource]
    if (allowed === null || added[resource] <= 0 || now[resource] + added[resource] <= allowed) continue
    return { resource, used: now[resource], requested: added[resource], allowed }
  }
  return undefined
}
