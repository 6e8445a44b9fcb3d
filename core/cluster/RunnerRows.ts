/**
 * Who runs in a cluster of `effect/cluster`, and whether others find it healthy: what `SqlRunnerStorage` keeps in `cluster_runners`.
 * A runner is there while its row was touched within T, by the database's clock.
 */
import * as Effect from "effect/Effect"
import { add, and, clockTimestamp, eq, gt, le, ne, or, subtract } from "../ports/Condition.ts"
import type { Storage, StorageError } from "../ports/Storage.ts"
import { boolean, integer, make, text, timestamp } from "../ports/Table.ts"

export const runners = make("cluster_runners", {
  columns: {
    /** Host and port; empty in the row that counts machines. */
    address: text,
    /** As `Runner` of effect/cluster encodes it. */
    runner: text,
    machineId: integer,
    isHealthy: boolean,
    heartbeatAt: timestamp
  },
  primaryKey: ["address"],
  isFed: false
})

const counter = ""

type Once = Storage["Service"]["once"]

interface Registering {
  readonly address: string
  readonly runner: string
  readonly isHealthy: boolean
}

/** The machine id of the address, which it keeps while its row is there; no two rows ever have the same. */
export const register = (once: Once, registering: Registering): Effect.Effect<number, StorageError> =>
  Effect.gen(function* () {
    const { address, ...named } = registering
    const label = "cluster/register"
    const own = { ...named, heartbeatAt: clockTimestamp }
    const [present] = yield* once(
      (transaction) => transaction.update(runners, { where: (row) => eq(row.address, address), set: () => own }),
      { label }
    )
    if (present !== undefined) return present.machineId
    const drawn = yield* once(
      (transaction) =>
        transaction.insert(
          runners,
          { address: counter, runner: "", machineId: 1, isHealthy: false, heartbeatAt: clockTimestamp },
          {
            onConflict: {
              target: ["address"],
              action: "update",
              set: (existing) => ({ machineId: add(existing.machineId, 1) })
            }
          }
        ),
      { label }
    )
    const [made] = yield* once(
      (transaction) =>
        transaction.insert(
          runners,
          { address, machineId: drawn[0]!.machineId, ...own },
          { onConflict: { target: ["address"], action: "update", set: () => own } }
        ),
      { label }
    )
    return made!.machineId
  })

/** With it those go that have not been heard of for T. */
export const unregister = (once: Once, address: string, liveMillis: number): Effect.Effect<void, StorageError> =>
  Effect.asVoid(
    once(
      (transaction) =>
        transaction.delete(runners, {
          where: (row) =>
            and(
              ne(row.address, counter),
              or(eq(row.address, address), le(row.heartbeatAt, subtract(clockTimestamp, liveMillis * 1_000)))
            )
        }),
      { label: "cluster/unregister" }
    )
  )

/** Encoded runners with their health, in the order of their addresses. */
export const listed = (
  once: Once,
  liveMillis: number
): Effect.Effect<Array<readonly [runner: string, isHealthy: boolean]>, StorageError> =>
  Effect.map(
    once(
      (transaction) =>
        transaction.select(runners, {
          where: (row) =>
            and(ne(row.address, counter), gt(row.heartbeatAt, subtract(clockTimestamp, liveMillis * 1_000))),
          orderBy: ["address"]
        }),
      { label: "cluster/runners" }
    ),
    (rows) => rows.map(({ isHealthy, runner }) => [runner, isHealthy] as const)
  )

export const setHealth = (once: Once, address: string, isHealthy: boolean): Effect.Effect<void, StorageError> =>
  Effect.asVoid(
    once(
      (transaction) =>
        transaction.update(runners, { where: (row) => eq(row.address, address), set: () => ({ isHealthy }) }),
      { label: "cluster/health" }
    )
  )

export const beat = (once: Once, address: string): Effect.Effect<void, StorageError> =>
  Effect.asVoid(
    once(
      (transaction) =>
        transaction.update(runners, {
          where: (row) => eq(row.address, address),
          set: () => ({ heartbeatAt: clockTimestamp })
        }),
      { label: "cluster/heartbeat" }
    )
  )
