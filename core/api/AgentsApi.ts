/** The endpoints of agents. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as AgentCalls from "../agent/AgentCalls.ts"
import { features } from "../agent/AgentPlan.ts"
import * as Facts from "../facts/Facts.ts"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { holderOf } from "../member/Member.ts"
import { Membership } from "../member/Membership.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import * as Placement from "../placement/Placement.ts"
import { Conflict, NotFound } from "./ApiErrors.ts"
import type { AgentForgetAsked } from "./ApiFacts.ts"
import { answer, idempotently } from "./idempotently.ts"
import { refused, unavailable } from "./problems.ts"
import { AgentView } from "./Views.ts"

/** Lets go of everything that ran on the host of an agent, which is gone for good. */
const forget = (transaction: Transaction, id: string): Effect.Effect<Answer, StorageError> =>
  Effect.map(Placement.forget(transaction, id), (agent) =>
    agent === undefined ? refused(new NotFound({ detail: `there is no agent ${id}` })) : answer(200, AgentView, agent)
  )

export const layer = HttpApiBuilder.group(
  Api,
  "agents",
  Effect.fn(function* (handlers) {
    const holder = holderOf((yield* Membership).self)
    return handlers.handleAll({
      register: ({ params, payload }) =>
        Effect.flatMap(Storage, (storage) => AgentCalls.register(storage, { id: params.agent, ...payload })).pipe(
          Effect.flatMap((agent) =>
            agent === undefined
              ? Effect.fail(new Conflict({ detail: `agent ${params.agent} is on another host than ${payload.host}` }))
              : Effect.succeed({ incarnation: agent.incarnation, features })
          ),
          Effect.catchTag("StorageError", unavailable)
        ),
      beat: ({ params, payload }) =>
        Effect.flatMap(Storage, (storage) => AgentCalls.beat(storage, { agent: params.agent, ...payload })).pipe(
          Effect.catchTag("StorageError", unavailable)
        ),
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
        ),
      exchange: ({ params, payload }) =>
        Effect.flatMap(Storage, (storage) => AgentCalls.exchange(storage, { agent: params.agent, ...payload })).pipe(
          Effect.flatMap((placements) =>
            placements === undefined
              ? Effect.fail(
                  new Conflict({
                    detail: `another process has registered as agent ${params.agent} since incarnation ${payload.incarnation}`
                  })
                )
              : Effect.succeed({ placements, features })
          ),
          Effect.catchTag("StorageError", unavailable)
        )
    })
  })
)
