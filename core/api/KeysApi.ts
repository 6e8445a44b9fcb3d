/** The endpoints of API keys. The control plane is told hashes; see `core/identity/ApiKey.ts`. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import * as ApiKey from "../identity/ApiKey.ts"
import { listRowsMax } from "../Limits.ts"
import { holderOf } from "../member/Member.ts"
import { Membership } from "../member/Membership.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { Conflict, NotFound } from "./ApiErrors.ts"
import { answer, idempotently } from "./idempotently.ts"
import { refused, unavailable } from "./problems.ts"
import { KeyView, keyView, type KeyWanted } from "./Views.ts"

/** The same key again changes nothing; the same id for another is refused. */
export const put = (
  transaction: Transaction,
  id: string,
  { expiresInSeconds, ...wanted }: KeyWanted
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const expiresAt = expiresInSeconds === undefined ? null : ApiKey.endsIn(expiresInSeconds)
    const created = yield* ApiKey.create(transaction, { id, ...wanted }, expiresAt)
    if (created !== undefined) return answer(201, KeyView, keyView(created))
    const present = yield* transaction.get(ApiKey.apiKeys, { id })
    return present?.hash === wanted.hash && present.principal === wanted.principal
      ? answer(200, KeyView, keyView(present))
      : refused(new Conflict({ detail: `there is another key ${id}` }))
  })

const revoke = (transaction: Transaction, id: string): Effect.Effect<Answer, StorageError> =>
  Effect.map(ApiKey.revoke(transaction, id), (key) =>
    key === undefined ? refused(new NotFound({ detail: `there is no key ${id}` })) : answer(200, KeyView, keyView(key))
  )

const rotate = (
  transaction: Transaction,
  id: string,
  next: Parameters<typeof ApiKey.rotate>[2]
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const made = yield* ApiKey.rotate(transaction, id, next)
    if (made !== undefined) return answer(201, KeyView, keyView(made))
    const taken = yield* transaction.get(ApiKey.apiKeys, { id: next.id })
    return taken === undefined
      ? refused(new NotFound({ detail: `there is no key ${id} that is still good` }))
      : refused(new Conflict({ detail: `there is a key ${next.id} already` }))
  })

export const layer = HttpApiBuilder.group(
  Api,
  "keys",
  Effect.fn(function* (handlers) {
    const holder = holderOf((yield* Membership).self)
    const changing = { project: "", holder }
    return handlers.handleAll({
      list: () =>
        Effect.flatMap(Storage, ({ once }) =>
          once((tx) => tx.select(ApiKey.apiKeys, { orderBy: ["id"], limit: listRowsMax }), { label: "keys/list" })
        ).pipe(
          Effect.map((found) => found.map(keyView)),
          Effect.catchTag("StorageError", unavailable)
        ),
      put: ({ headers, params, payload }) =>
        idempotently(
          { ...changing, headers, route: "keys/put", method: "PUT", path: `/v1/keys/${params.key}`, body: payload },
          (tx) => put(tx, params.key, payload)
        ),
      revoke: ({ headers, params }) =>
        idempotently(
          { ...changing, headers, route: "keys/revoke", method: "DELETE", path: `/v1/keys/${params.key}`, body: null },
          (tx) => revoke(tx, params.key)
        ),
      rotate: ({ headers, params, payload }) =>
        idempotently(
          {
            ...changing,
            headers,
            route: "keys/rotate",
            method: "POST",
            path: `/v1/keys/${params.key}/rotations`,
            body: payload
          },
          (tx) => rotate(tx, params.key, payload)
        )
    })
  })
)
