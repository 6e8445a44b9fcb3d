/** The endpoints of agents. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import * as Heartbeat from "../heartbeat/Heartbeat.ts"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { holderOf } from "../member/Member.ts"
import { Membership } from "../member/Membership.ts"
import * as Metrics from "../Metrics.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import * as Placement from "../placement/Placement.ts"
import { retryTransient } from "../storage/retryTransient.ts"
import { Conflict, NotFound } from "./ApiErrors.ts"
import type { AgentForgetAsked } from "./ApiFacts.ts"
import { answer, idempotently } from "./idempotently.ts"
import { refused, unavailable } from "./problems.ts"
import { AgentView } from "./Views.ts"

const returns = Mark.sometimes("instance given up for its silence is heard again")
const unheard = Mark.sometimes("heartbeat for an instance that is unknown, or of an older incarnation")
const moves = Mark.sometimes("heartbeat for an instance that another agent speaks for")

/** Lets go of everything that ran on the host of an agent, which is gone for good. */
const forget = (transaction: Transaction, id: string): Effect.Effect<Answer, StorageError> =>
  Effect.map(Placement.forget(transaction, id), (agent) =>
    agent === undefined ? refused(new NotFound({ detail: `there is no agent ${id}` })) : answer(200, AgentView, agent)
  )

export const layer = HttpApiBuilder.group(
  Api,
  "agents",
  Effect.fn(function* (handlers) {
    const storage = yield* Storage
    const { once, transaction } = storage
    const holder = holderOf((yield* Membership).self)
    return handlers.handleAll({
      register: ({ params, payload }) =>
        Heartbeat.register(once, { id: params.agent, ...payload }).pipe(
          Effect.flatMap((agent) =>
            agent === undefined
              ? Effect.fail(new Conflict({ detail: `agent ${params.agent} is on another host than ${payload.host}` }))
              : Effect.succeed({ incarnation: agent.incarnation })
          ),
          Effect.catchTag("StorageError", unavailable)
        ),
      beat: ({ params, payload }) =>
        Effect.gen(function* () {
          if (payload.uids.length === 0) return { unknown: [] }
          const heard = yield* Heartbeat.record(once, { agent: params.agent, ...payload })
          const returned = heard.filter(Heartbeat.hasReturned).map(({ uid }) => uid)
          if (returned.length > 0) {
            yield* Mark.hit(returns)
            yield* Heartbeat.markReturned(once, returned)
          }
          const known = new Set(heard.map(({ uid }) => uid))
          yield* Metrics.increment(Metrics.heartbeats.heard, heard.length)
          const missing = payload.uids.filter((uid) => !known.has(uid))
          if (missing.length === 0) return { unknown: [] }
          for (const { uid } of yield* Heartbeat.elsewhere(once, params.agent, missing)) known.add(uid)
          const unknown = missing.filter((uid) => !known.has(uid))
          yield* Mark.hit(moves, unknown.length < missing.length)
          yield* Mark.hit(unheard, unknown.length > 0)
          yield* Metrics.increment(Metrics.heartbeats.elsewhere, missing.length - unknown.length)
          yield* Metrics.increment(Metrics.heartbeats.unknown, unknown.length)
          return { unknown }
        }).pipe(Effect.catchTag("StorageError", unavailable)),
      forget: ({ headers, params, query }) =>
        Effect.andThen(
          query.dryRun === "true"
            ? Effect.void
            : Facts.emit({ _tag: "AgentForgetAsked", agent: params.agent } satisfies AgentForgetAsked),
          idempotently(
            {
              headers,
              project: "",
              route: "agents/forget",
              method: "DELETE",
              path: `/v1/agents/${params.agent}`,
              body: null,
              holder,
              isDryRun: query.dryRun === "true"
            },
            (tx) => forget(tx, params.agent)
          )
        ).pipe(Effect.provideService(Storage, storage)),
      exchange: ({ params, payload }) =>
        Effect.gen(function* () {
          const { agent } = params
          const placements = yield* retryTransient(
            transaction((tx) => Placement.exchange(tx, { agent, ...payload }), { label: "agent/exchange" })
          )
          if (placements === undefined) {
            return yield* new Conflict({
              detail: `another process has registered as agent ${agent} since incarnation ${payload.incarnation}`
            })
          }
          return {
            placements: placements.map(({ attempt, observed, spec, uid, wanted }) => ({
              uid,
              attempt,
              spec,
              wanted,
              observed
            }))
          }
        }).pipe(Effect.catchTag("StorageError", unavailable))
    })
  })
)
