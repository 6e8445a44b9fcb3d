/** What an agent asks of a node, the same over whichever transport. */
import * as Effect from "effect/Effect"
import type { Agent } from "../heartbeat/Heartbeat.ts"
import * as Heartbeat from "../heartbeat/Heartbeat.ts"
import * as Mark from "../facts/Mark.ts"
import * as Metrics from "../Metrics.ts"
import * as Placement from "../placement/Placement.ts"
import type { Storage, StorageError } from "../ports/Storage.ts"
import { retryTransient } from "../storage/retryTransient.ts"
import type { Assigned } from "./AgentPlan.ts"

const returns = Mark.sometimes("instance given up for its silence is heard again")
const unheard = Mark.sometimes("heartbeat for an instance that is unknown, or of an older incarnation")
const moves = Mark.sometimes("heartbeat for an instance that another agent speaks for")

type Store = Pick<Storage["Service"], "once" | "transaction">

/** Undefined when an agent of that name is on another host. */
export const register = ({ once }: Store, registration: Heartbeat.Registration) =>
  Heartbeat.register(once, registration)

/** Undefined when another process has registered since. */
export const resume = (
  { once }: Store,
  process: Parameters<typeof Heartbeat.resume>[1]
): Effect.Effect<Agent | undefined, StorageError> => Heartbeat.resume(once, process)

/** Those among the uids that nobody wants any more. */
export const beat = (
  { once }: Store,
  said: Heartbeat.Beat
): Effect.Effect<{ readonly unknown: ReadonlyArray<string> }, StorageError> =>
  Effect.gen(function* () {
    const { agent, uids } = said
    if (uids.length === 0) return { unknown: [] }
    const heard = yield* Heartbeat.record(once, said)
    const returned = heard.filter(Heartbeat.hasReturned).map(({ uid }) => uid)
    if (returned.length > 0) {
      yield* Mark.hit(returns)
      yield* Heartbeat.markReturned(once, returned)
    }
    const known = new Set(heard.map(({ uid }) => uid))
    yield* Metrics.increment(Metrics.heartbeats.heard, heard.length)
    const missing = uids.filter((uid) => !known.has(uid))
    if (missing.length === 0) return { unknown: [] }
    for (const { uid } of yield* Heartbeat.elsewhere(once, agent, missing)) known.add(uid)
    const unknown = missing.filter((uid) => !known.has(uid))
    yield* Mark.hit(moves, unknown.length < missing.length)
    yield* Mark.hit(unheard, unknown.length > 0)
    yield* Metrics.increment(Metrics.heartbeats.elsewhere, missing.length - unknown.length)
    yield* Metrics.increment(Metrics.heartbeats.unknown, unknown.length)
    return { unknown }
  })

/** All that the agent is to run or to stop, what it says considered. Undefined when it is not the present incarnation. */
export const exchange = (
  { transaction }: Store,
  said: Parameters<typeof Placement.exchange>[1]
): Effect.Effect<ReadonlyArray<Assigned> | undefined, StorageError> =>
  Effect.map(
    retryTransient(transaction((tx) => Placement.exchange(tx, said), { label: "agent/exchange" })),
    (placements) =>
      placements?.map(({ attempt, observed, spec, uid, wanted }) => ({ uid, attempt, spec, wanted, observed }))
  )
