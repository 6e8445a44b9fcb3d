/**
 * Placements: which agent runs which instance, what is wanted of it there, and what the agent last said of it.
 *
 * - L1 An instance has at most one placement at a time. It leaves only after its agent, as it is now, has said that nothing of the
 *   instance is there.
 * - L2 Only the present incarnation of an agent is believed, and only about the placement that it was given, by uid and attempt:
 *   what was said of an earlier one, and came late, changes nothing.
 * - L3 A placement is made only for an instance whose row, locked, is being created: the start of an owner who was deposed makes
 *   nothing that nobody owns.
 *
 * Whoever locks both locks the instance before its placement.
 */
import * as Effect from "effect/Effect"
import { agents, type Agent } from "../heartbeat/Heartbeat.ts"
import { instances } from "../instance/Instance.ts"
import { agentHeardMillis, agentLiveMillis, agentsMax, placementsPerAgentMax } from "../Limits.ts"
import {
  add,
  and,
  clockTimestamp,
  type Condition,
  eq,
  ge,
  gt,
  isIn,
  isNotNull,
  isNull,
  le,
  or,
  type Row,
  subtract
} from "../ports/Condition.ts"
import { Observation, type Observed, Spec } from "../ports/Provider.ts"
import type { StorageError, Transaction } from "../ports/Storage.ts"
import { type RowOf, integer, json, literals, make, nullable, text, timestamp } from "../ports/Table.ts"

export const placements = make("placements", {
  columns: {
    uid: text,
    agent: text,
    /** The instance's, when it was placed: tells this placement from earlier ones. */
    attempt: integer,
    spec: json(Spec),
    wanted: literals("run", "stop"),
    /** What the agent last said; null until it has said something. */
    observed: nullable(literals(...Observation.literals)),
    observedAt: nullable(timestamp),
    /** Of what is observed as `Failed`: how it ended, as the agent says; null where it says nothing, or where an older program took its word. */
    cause: nullable(text),
    placedAt: timestamp
  },
  primaryKey: ["uid"],
  indexes: [["agent", "uid"]],
  checks: {
    observedWithTime: (row) =>
      or(and(isNull(row.observed), isNull(row.observedAt)), and(isNotNull(row.observed), isNotNull(row.observedAt))),
    attemptIsCounted: (row) => ge(row.attempt, 1)
  }
})
export type Placement = RowOf<typeof placements>

/** What an agent says of one placement. */
export interface Report {
  readonly uid: string
  readonly attempt: number
  readonly observation: Observation
  /** Of what has failed: how it ended. */
  readonly cause?: string | undefined
}

/** What the owner of the instance is told of it. */
export const observedOf = (placement: Placement | undefined): Observed => {
  const observation = observationOf(placement)
  if (placement === undefined) return { observation }
  const { agent, cause } = placement
  return { observation, agent, ...(observation === "Failed" && cause !== null ? { cause } : {}) }
}

/** What the owner of the instance sees of it. */
export const observationOf = (placement: Pick<Placement, "wanted" | "observed"> | undefined): Observation => {
  if (placement === undefined) return "Absent"
  if (placement.wanted === "stop") return "Stopping"
  return placement.observed === null || placement.observed === "Absent" ? "Starting" : placement.observed
}

/** Pure: the two agents that an instance may go to, by rendezvous: the same for whoever asks, and as even as hashes are. */
export const candidatesFor = (
  agents: ReadonlyArray<Pick<Agent, "id">>,
  weightOf: (agent: string) => number
): ReadonlyArray<string> =>
  agents
    .map(({ id }) => ({ id, weight: weightOf(id) }))
    .toSorted((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1))
    .slice(0, 2)
    .map(({ id }) => id)

/** Pure: of the candidates the one that has less, which is never full. */
export const emptierOf = (
  candidates: ReadonlyArray<{ readonly agent: string; readonly count: number }>
): string | undefined =>
  candidates.filter(({ count }) => count < placementsPerAgentMax).toSorted((a, b) => a.count - b.count)[0]?.agent

/** Agents that were heard lately, ascending. */
export const live = (transaction: Transaction): Effect.Effect<ReadonlyArray<Agent>, StorageError> =>
  transaction.select(agents, {
    where: (row) => gt(row.heardAt, subtract(clockTimestamp, agentLiveMillis * 1_000)),
    orderBy: ["id"],
    limit: agentsMax
  })

/** Places the instance, unless it has a placement, or is not being created any more. False when it is not. */
export const place = (
  transaction: Transaction,
  wanted: { readonly uid: string; readonly agent: string; readonly spec: Spec }
): Effect.Effect<boolean, StorageError> =>
  Effect.gen(function* () {
    const instance = yield* transaction.get(instances, { uid: wanted.uid }, { lock: "for share" })
    if (instance === undefined || instance.state !== "CREATING" || instance.deletionRequestedAt !== null) return false
    yield* transaction.insert(
      placements,
      {
        ...wanted,
        attempt: instance.attempt,
        wanted: "run" as const,
        observed: null,
        observedAt: null,
        cause: null,
        placedAt: clockTimestamp
      },
      { onConflict: { target: ["uid"], action: "nothing" } }
    )
    return true
  })

/** Its end is wanted; nothing when it has no placement. */
export const unplace = (transaction: Transaction, uid: string): Effect.Effect<unknown, StorageError> =>
  transaction.update(placements, {
    where: (row) => and(eq(row.uid, uid), eq(row.wanted, "run")),
    set: () => ({ wanted: "stop" as const })
  })

/** Everything that an agent is to run or to stop. */
export const of = (transaction: Transaction, agent: string): Effect.Effect<ReadonlyArray<Placement>, StorageError> =>
  transaction.select(placements, {
    where: (row) => eq(row.agent, agent),
    orderBy: ["uid"],
    limit: placementsPerAgentMax
  })

/**
 * Takes what an agent says. Undefined when it is not the present incarnation of the agent, and nothing it said counts; otherwise
 * what it is to run or to stop, its word considered.
 */
export const exchange = (
  transaction: Transaction,
  said: { readonly agent: string; readonly incarnation: number; readonly reports: ReadonlyArray<Report> }
): Effect.Effect<ReadonlyArray<Placement> | undefined, StorageError> =>
  Effect.gen(function* () {
    const { incarnation, reports } = said
    const agent = yield* transaction.get(agents, { id: said.agent }, { lock: "for key share" })
    if (agent?.incarnation !== incarnation) return undefined
    // Rarely written, though an agent speaks every second.
    yield* transaction.update(agents, {
      where: (row) =>
        and(
          eq(row.id, said.agent),
          or(isNull(row.heardAt), le(row.heardAt, subtract(clockTimestamp, agentHeardMillis * 1_000)))
        ),
      set: () => ({ heardAt: clockTimestamp })
    })
    const told = new Map(reports.map((report) => [report.uid, report]))
    const known = yield* transaction.select(placements, {
      where: (row) => and(isIn(row.uid, [...told.keys()]), eq(row.agent, said.agent)),
      orderBy: ["uid"]
    })
    const news = known.flatMap(({ attempt, observed, uid }) => {
      const report = told.get(uid)!
      return report.attempt === attempt && (report.observation !== observed || observed === "Absent") ? [report] : []
    })
    if (news.length > 0) {
      const uids = news.map(({ uid }) => uid)
      yield* transaction.update(instances, {
        where: (row) => isIn(row.uid, uids),
        // Whose placement it is speaks for it, and not only from its first heartbeat on.
        set: () => ({ dueAt: clockTimestamp, agent: said.agent, agentIncarnation: incarnation })
      })
    }
    for (const { attempt, cause = null, observation, uid } of news) {
      const isOf = (row: Row<Placement>): Condition =>
        and(eq(row.uid, uid), eq(row.agent, said.agent), eq(row.attempt, attempt))
      const gone =
        observation === "Absent"
          ? yield* transaction.delete(placements, { where: (row) => and(isOf(row), eq(row.wanted, "stop")) })
          : []
      if (gone.length > 0) continue
      yield* transaction.update(placements, {
        where: isOf,
        set: () => ({ observed: observation, observedAt: clockTimestamp, cause })
      })
    }
    return yield* of(transaction, said.agent)
  })

/**
 * Somebody who knows says that the host of the agent is gone for good, and with it all that ran there: its placements leave, and the name
 * is free for another host. A process of it that lives on all the same is told so, and ends. Undefined when there is no such agent.
 */
export const forget = (transaction: Transaction, id: string): Effect.Effect<Agent | undefined, StorageError> =>
  Effect.gen(function* () {
    const placed = yield* transaction.select(placements, { where: (row) => eq(row.agent, id), orderBy: ["uid"] })
    const uids = placed.map(({ uid }) => uid)
    yield* transaction.update(instances, {
      where: (row) => isIn(row.uid, uids),
      set: () => ({ dueAt: clockTimestamp })
    })
    // Before the placements: what the agent says from now on does not count.
    const [agent] = yield* transaction.update(agents, {
      where: (row) => eq(row.id, id),
      set: (row) => ({ incarnation: add(row.incarnation, 1), host: null, process: null, heardAt: null })
    })
    yield* transaction.delete(placements, { where: (row) => eq(row.agent, id) })
    return agent
  })
