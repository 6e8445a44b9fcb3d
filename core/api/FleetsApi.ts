/** The endpoints of fleets. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { assert } from "../assert.ts"
import * as Fleet from "../fleet/Fleet.ts"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import { listRowsMax } from "../Limits.ts"
import { Membership } from "../member/Membership.ts"
import { holderOf } from "../member/Member.ts"
import { eq, isIn } from "../ports/Condition.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { Conflict, NotFound } from "./ApiErrors.ts"
import { answer, idempotently } from "./idempotently.ts"
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
      list: ({ params }) =>
        Effect.gen(function* () {
          const fleets = yield* storage.once(
            (tx) =>
              tx.select(Fleet.fleets, {
                where: (row) => eq(row.project, params.project),
                orderBy: ["id"],
                limit: listRowsMax
              }),
            { label: "fleets/list" }
          )
          const ids = fleets.map(({ id }) => id)
          const statuses = yield* storage.once(
            (tx) => tx.select(Fleet.fleetStatuses, { where: (row) => isIn(row.id, ids) }),
            { label: "fleets/statuses" }
          )
          const statusOf = new Map(statuses.map((status) => [status.id, status]))
          return fleets.map((fleet) => fleetView(fleet, statusOf.get(fleet.id)))
        }).pipe(Effect.catchTag("StorageError", unavailable))
    })
  })
)
