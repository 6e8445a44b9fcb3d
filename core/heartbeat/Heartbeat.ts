/**
 * Heartbeats of agents: what they write, and when silence counts as failure.
 *
 * - H1 The time of a heartbeat is the database's time of its receipt; no clock of a sender is ever believed.
 * - H2 An agent speaks under its incarnation, which the store gives out; what an older incarnation of it says changes nothing.
 *   Incarnations of different agents have nothing to do with each other.
 * - H4 An instance is spoken for by one agent. When it moves, the agent of its new place is heard for it as soon as the former one
 *   has been silent about it for `heartbeatMoveMillis`: no second agent can keep alive, or take, what the first still sees, and
 *   an instance that has really moved is heard in time. A new attempt to start it may run anywhere, and begins with no agent.
 * - H3 RUNNING becomes ERROR after `heartbeatStaleMillis` of silence, unless so many are late together that the
 *   cause must be common (a cut network, a stalled store). Then nothing is given up (kubernetes #24200).
 */
import * as Effect from "effect/Effect"
import * as Mark from "../facts/Mark.ts"
import { brakeCountMin, brakeRatio, heartbeatLateMillis, heartbeatMoveMillis, heartbeatStaleMillis } from "../Limits.ts"
import { instances, type Instance } from "../instance/Instance.ts"
import {
  add,
  and,
  clockTimestamp,
  type Condition,
  eq,
  isIn,
  isNull,
  le,
  ne,
  or,
  type Row,
  subtract
} from "../ports/Condition.ts"
import type { Storage, StorageError, Transaction } from "../ports/Storage.ts"
import { type RowOf, integer, make, nullable, text, timestamp } from "../ports/Table.ts"

/** One row for each agent; written when it registers, and now and then while it asks for work. */
export const agents = make("agents", {
  columns: {
    id: text,
    incarnation: integer,
    registeredAt: timestamp,
    /** What its instances run on, as a name that it keeps; null, as `heardAt`, where an older program has registered it. */
    host: nullable(text),
    /** Which process has registered last, by a name that it made for itself; null likewise. */
    process: nullable(text),
    heardAt: nullable(timestamp)
  },
  primaryKey: ["id"]
})
export type Agent = RowOf<typeof agents>

type Once = Storage["Service"]["once"]

const asksAgain = Mark.sometimes("registration of an agent repeated, and answered as before")

export interface Registration {
  readonly id: string
  readonly host: string
  readonly process: string
}

/**
 * The next incarnation of the agent: one for each process, however often it asks, before its first heartbeat. Undefined when an agent of
 * that name is on another host: its instances are there.
 */
export const register = (
  once: Once,
  { host, id, process }: Registration
): Effect.Effect<Agent | undefined, StorageError> =>
  Effect.gen(function* () {
    const [registered] = yield* once(
      (transaction) =>
        transaction.insert(
          agents,
          { id, incarnation: 1, registeredAt: clockTimestamp, host, process, heardAt: clockTimestamp },
          {
            onConflict: {
              target: ["id"],
              action: "update",
              set: (existing) => ({
                incarnation: add(existing.incarnation, 1),
                registeredAt: clockTimestamp,
                host,
                process,
                heardAt: clockTimestamp
              }),
              where: (existing) =>
                and(
                  or(isNull(existing.host), eq(existing.host, host)),
                  or(isNull(existing.process), ne(existing.process, process))
                )
            }
          }
        ),
      { label: "agent/register" }
    )
    if (registered !== undefined) return registered
    const present = yield* once((transaction) => transaction.get(agents, { id }), { label: "agent/registered" })
    yield* Mark.hit(asksAgain, present?.process === process)
    return present?.process === process ? present : undefined
  })

/**
 * The next incarnation of an agent whose process opens another session: what it said over the one before, and comes late, does not count.
 * Undefined when another process has registered since.
 */
export const resume = (
  once: Once,
  { id, process }: Omit<Registration, "host">
): Effect.Effect<Agent | undefined, StorageError> =>
  Effect.map(
    once(
      (transaction) =>
        transaction.update(agents, {
          where: (row) => and(eq(row.id, id), eq(row.process, process)),
          set: (row) => ({ incarnation: add(row.incarnation, 1), heardAt: clockTimestamp })
        }),
      { label: "agent/resume" }
    ),
    ([agent]) => agent
  )

export interface Beat {
  readonly agent: string
  readonly incarnation: number
  readonly uids: ReadonlyArray<string>
}

/** The instances that were heard; a uid that is missing is unknown, or another agent or incarnation speaks for it. */
export const record = (once: Once, beat: Beat): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  once(
    (transaction) =>
      transaction.update(instances, {
        where: (row) => and(isIn(row.uid, beat.uids), maySpeak(row, beat)),
        set: () => ({ agent: beat.agent, agentIncarnation: beat.incarnation, lastHeartbeatAt: clockTimestamp })
      }),
    { label: "heartbeat/record" }
  )

const maySpeak = (row: Row<Instance>, beat: Beat): Condition =>
  or(
    isNull(row.agent),
    and(eq(row.agent, beat.agent), le(row.agentIncarnation, beat.incarnation)),
    and(ne(row.agent, beat.agent), isSilentFor(row, heartbeatMoveMillis))
  )

/** Those of `uids` that another agent speaks for: this one may have them soon, and must not end them. */
export const elsewhere = (
  once: Once,
  agent: string,
  uids: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  once(
    (transaction) => transaction.select(instances, { where: (row) => and(isIn(row.uid, uids), ne(row.agent, agent)) }),
    { label: "heartbeat/elsewhere" }
  )

/** Was it given up for its silence, and is it now heard again? Then its owner must look. */
export const hasReturned = (instance: Instance): boolean =>
  instance.state === "ERROR" &&
  instance.reason === "HeartbeatStale" &&
  instance.deletionRequestedAt === null &&
  instance.parkedAt === null

export const markReturned = (once: Once, uids: ReadonlyArray<string>): Effect.Effect<unknown, StorageError> =>
  once(
    (transaction) =>
      transaction.update(instances, {
        where: (row) => and(isIn(row.uid, uids), eq(row.state, "ERROR")),
        set: () => ({ dueAt: clockTimestamp })
      }),
    { label: "heartbeat/returned" }
  )

/** Those whose silence means something. */
export const isWatched = (row: Row<Instance>): Condition =>
  and(eq(row.state, "RUNNING"), isNull(row.deletionRequestedAt))

/** Silent for longer than an agent that works ever is; the stale ones are among them. */
export const isLate = (row: Row<Instance>): Condition => and(isWatched(row), isSilentFor(row, heartbeatLateMillis))

export const isStale = (row: Row<Instance>): Condition => and(isWatched(row), isSilentFor(row, heartbeatStaleMillis))

/** Whether the silence is taken to have one common cause. */
export const isBraked = (counts: { readonly late: number; readonly running: number }): boolean =>
  counts.late >= brakeCountMin && counts.late > brakeRatio * counts.running

/** Gives up those of `uids` that are still RUNNING and stale at this moment. */
export const giveUp = (
  transaction: Transaction,
  uids: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Instance>, StorageError> =>
  transaction.update(instances, {
    where: (row) => and(isIn(row.uid, uids), isStale(row)),
    set: (row) => ({
      state: "ERROR" as const,
      reason: "HeartbeatStale" as const,
      revision: add(row.revision, 1),
      updatedAt: clockTimestamp,
      readyChangedAt: clockTimestamp,
      dueAt: clockTimestamp
    })
  })

function isSilentFor(row: Row<Instance>, millis: number): Condition {
  return le(row.lastHeartbeatAt, subtract(clockTimestamp, millis * 1_000))
}
