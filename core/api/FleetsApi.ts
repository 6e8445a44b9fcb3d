/** The endpoints of fleets. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { assert } from "../assert.ts"
import * as Fleet from "../fleet/Fleet.ts"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import { Membership } from "../member/Membership.ts"
import { holderOf } from "../member/Member.ts"
import { Feed } from "../ports/Feed.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { Conflict, NotFound } from "./ApiErrors.ts"
import { answer, idempotently } from "./idempotently.ts"
import { masked } from "./masked.ts"
import * as paging from "./paging.ts"
import { refused, unavailable } from "./problems.ts"
import { FleetView, fleetView } from "./Views.ts"

/** Creates the fleet or sets what is desired; the same again changes nothing, not even the generation. */
export const put = (
  transaction: Transaction,
  wanted: Pick<Fleet.Fleet, "project" | "name" | "desired" | "spec">
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const created = yield* Fleet.create(transaction, wanted)
    if (created !== undefined) return answer(201, FleetView, fleetView(created, undefined))
    const id = Fleet.fleetIdOf(wanted.project, wanted.name)
    const fleet = yield* transaction.get(Fleet.fleets, { id }, { lock: "for update" })
    assert(fleet !== undefined, `fleet ${id} was there and is not; fleets are never deleted`)
    if (canonicalJson(fleet.spec) !== canonicalJson(wanted.spec)) {
      return refused(new Conflict({ detail: `fleet ${id} has another spec, and specs never change` }))
    }
    if (fleet.desired === wanted.desired) return answer(200, FleetView, fleetView(fleet, undefined))
    const [changed] = yield* Fleet.setDesired(transaction, id, wanted.desired)
    assert(changed !== undefined, `fleet ${id} is locked and must be there`)
    return answer(200, FleetView, fleetView(changed, undefined))
  })

export const layer = HttpApiBuilder.group(
  Api,
  "fleets",
  Effect.fn(function* (handlers) {
    const storage = yield* Storage
    const feed = yield* Feed
    const holder = holderOf((yield* Membership).self)
    return handlers.handleAll({
      put: ({ params, headers, payload }) =>
        idempotently(
          {
            headers,
            project: params.project,
            route: "fleets/put",
            method: "PUT",
            path: `/v1/projects/${params.project}/fleets/${params.name}`,
            body: payload,
            holder
          },
          (transaction) => put(transaction, { ...params, ...payload })
        ).pipe(Effect.provideService(Storage, storage)),
      get: ({ params }) =>
        Effect.gen(function* () {
          const id = Fleet.fleetIdOf(params.project, params.name)
          const fleet = yield* storage.once((tx) => tx.get(Fleet.fleets, { id }), { label: "fleets/get" })
          if (fleet === undefined) return yield* new NotFound({ detail: `there is no fleet ${id}` })
          const status = yield* storage.once((tx) => tx.get(Fleet.fleetStatuses, { id }), { label: "fleets/status" })
          return fleetView(fleet, status)
        }).pipe(Effect.catchTag("StorageError", unavailable)),
      list: ({ params, query }) =>
        Effect.gen(function* () {
          const { items, next, revision } = yield* paging.page(
            { table: Fleet.fleets, key: "id", label: "fleets/list", where: { project: params.project } },
            query
          )
          const ids = items.map(({ id }) => id)
          const statuses = { table: Fleet.fleetStatuses, key: "id", label: "fleets/statuses", where: {} } as const
          const statusOf = yield* paging.rowsAt(statuses, ids, revision)
          const shown = items.map((fleet) => fleetView(fleet, statusOf.get(fleet.id)))
          return yield* masked(FleetView, query.fields, { items: shown, next, revision })
        }).pipe(
          Effect.catchTag("StorageError", unavailable),
          Effect.provideService(Storage, storage),
          Effect.provideService(Feed, feed)
        )
    })
  })
)
