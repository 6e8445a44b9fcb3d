/** The quota of a project, and what of it is used. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { holderOf } from "../member/Member.ts"
import { Membership } from "../member/Membership.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import * as Quota from "../quota/Quota.ts"
import { Api } from "./Api.ts"
import { QuotaExceeded } from "./ApiErrors.ts"
import { answer, idempotently } from "./idempotently.ts"
import { refused, unavailable } from "./problems.ts"
import { QuotaView } from "./Views.ts"

/** The refusal of who would add this to what a project wants; `added` is asked only where there is a quota, which is locked from then on. */
export const overQuota = (
  transaction: Transaction,
  project: string,
  added: Effect.Effect<Quota.Usage, StorageError>
): Effect.Effect<Answer | undefined, StorageError> =>
  Effect.gen(function* () {
    const quota = yield* Quota.lock(transaction, project)
    if (quota === undefined) return undefined
    const excess = Quota.excess(quota, yield* Quota.used(transaction, project), yield* added)
    if (excess === undefined) return undefined
    const { allowed, requested, resource, used } = excess
    const detail = `project ${project} uses ${used} of ${allowed} ${resource}, and ${requested} more are asked for`
    return refused(new QuotaExceeded({ detail, ...excess }))
  })

const viewOf = (transaction: Transaction, project: string, quota: Quota.Quota | undefined) =>
  Effect.map(Quota.used(transaction, project), (used) => ({
    project,
    fleetsMax: quota?.fleetsMax ?? null,
    instancesMax: quota?.instancesMax ?? null,
    used
  }))

export const layer = HttpApiBuilder.group(
  Api,
  "quotas",
  Effect.fn(function* (handlers) {
    const holder = holderOf((yield* Membership).self)
    return handlers.handleAll({
      get: ({ params: { project } }) =>
        Effect.flatMap(Storage, ({ transaction }) =>
          transaction(
            (tx) => Effect.flatMap(tx.get(Quota.quotas, { project }), (quota) => viewOf(tx, project, quota)),
            {
              label: "quotas/get"
            }
          )
        ).pipe(Effect.catchTag("StorageError", unavailable)),
      put: ({ headers, params: { project }, payload, query }) =>
        idempotently(
          {
            headers,
            project,
            route: "quotas/put",
            method: "PUT",
            path: `/v1/projects/${project}/quota`,
            body: payload,
            holder,
            isDryRun: query.dryRun === "true"
          },
          (tx) =>
            Effect.gen(function* () {
              const quota = yield* Quota.set(tx, { project, ...payload })
              return answer(200, QuotaView, yield* viewOf(tx, project, quota))
            })
        )
    })
  })
)
