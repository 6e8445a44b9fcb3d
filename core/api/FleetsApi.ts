/** The endpoints of fleets. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { assert } from "../assert.ts"
import * as Event from "../event/Event.ts"
import * as Fleet from "../fleet/Fleet.ts"
import * as fleetEvents from "../fleet/fleetEvents.ts"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { Membership } from "../member/Membership.ts"
import { holderOf } from "../member/Member.ts"
import { Feed } from "../ports/Feed.ts"
import { SerializationFailure, Storage, StorageError, type Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { Conflict, NotFound, Unavailable } from "./ApiErrors.ts"
import { redriveFleet } from "./DeadLettersApi.ts"
import * as etag from "./etag.ts"
import { overQuota } from "./QuotasApi.ts"
import { answer, type Conditions, idempotently, shown } from "./idempotently.ts"
import { masked } from "./masked.ts"
import * as paging from "./paging.ts"
import { otherSpec } from "./otherSpec.ts"
import { notFollowed, refused, sent, unavailable } from "./problems.ts"
import { untilStable } from "./untilStable.ts"
import { unstable } from "../fleet/unstable.ts"
import { Watch } from "../watch/Watch.ts"
import { FleetView, fleetView } from "./Views.ts"

/** Creates the fleet or sets what is desired; the same again changes nothing, not even the generation. */
export const put = (
  transaction: Transaction,
  {
    paused,
    ...wanted
  }: Pick<Fleet.Fleet, "project" | "name" | "desired" | "spec"> & {
    /** Undefined: as it is, and not at first. Who does not know of pauses ends none. */
    readonly paused?: boolean
  },
  conditions: Conditions
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const added = Effect.map(
      transaction.get(Fleet.fleets, { id: Fleet.fleetIdOf(wanted.project, wanted.name) }),
      (fleet) => ({
        fleets: fleet === undefined ? 1 : 0,
        instances: wanted.desired - (fleet?.desired ?? 0)
      })
    )
    const refusal = yield* overQuota(transaction, wanted.project, added)
    if (refusal !== undefined) return refusal
    const mayCreate = conditions.unmet(undefined)
    const created =
      mayCreate === undefined ? yield* Fleet.create(transaction, { ...wanted, isPaused: paused ?? false }) : undefined
    if (created !== undefined) return answer(201, FleetView, fleetView(created, undefined), created.generation)
    const id = Fleet.fleetIdOf(wanted.project, wanted.name)
    const fleet = yield* transaction.get(Fleet.fleets, { id }, { lock: "for update" })
    if (fleet === undefined) {
      if (mayCreate !== undefined) return refused(mayCreate)
      // It has left between the two statements: from the beginning, once more.
      return yield* new StorageError({ label: "fleets/put", reason: new SerializationFailure() })
    }
    const unmet = conditions.unmet(etag.ofFleet(fleetView(fleet, undefined)))
    if (unmet !== undefined) return refused(unmet)
    if (fleet.deletionRequestedAt !== null) {
      return refused(new Conflict({ detail: `fleet ${id} is being deleted: wait until it is gone` }))
    }
    const other = otherSpec(`fleet ${id}`, fleet.spec, wanted.spec)
    if (other !== undefined) return refused(new Conflict({ detail: other }))
    const isPaused = paused ?? fleet.pausedAt !== null
    if (fleet.desired === wanted.desired && isPaused === (fleet.pausedAt !== null))
      return answer(200, FleetView, fleetView(fleet, undefined), fleet.generation)
    const [changed] = yield* Fleet.setDesired(transaction, fleet, { desired: wanted.desired, isPaused })
    assert(changed !== undefined, `fleet ${id} is locked and must be there`)
    yield* Event.record(transaction, fleetEvents.wished(fleet, changed))
    return answer(200, FleetView, fleetView(changed, undefined), changed.generation)
  })

/** Asks for the end of the fleet and of its instances; it is there until the last of them is gone. */
const remove = (transaction: Transaction, id: string, conditions: Conditions): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const fleet = yield* transaction.get(Fleet.fleets, { id }, { lock: "for update" })
    const unmet = conditions.unmet(fleet === undefined ? undefined : etag.ofFleet(fleetView(fleet, undefined)))
    if (unmet !== undefined) return refused(unmet)
    if (fleet === undefined) return refused(new NotFound({ detail: `there is no fleet ${id}` }))
    const [asked] = yield* Fleet.requestDeletion(transaction, id)
    if (asked !== undefined) yield* Event.record(transaction, [fleetEvents.deletionRequested(asked)])
    const shown = asked ?? fleet
    return answer(202, FleetView, fleetView(shown, undefined), shown.generation)
  })

interface Named {
  readonly project: string
  readonly name: string
}

const missing = ({ name, project }: Named) =>
  new NotFound({ detail: `there is no fleet ${Fleet.fleetIdOf(project, name)}` })

const respond = (view: FleetView, status: number) => sent(answer(status, FleetView, view), { etag: etag.ofFleet(view) })

const tagOf = (body: string): string => etag.ofFleet(JSON.parse(body) as FleetView)

export const layer = HttpApiBuilder.group(
  Api,
  "fleets",
  Effect.fn(function* (handlers) {
    const feed = yield* Feed
    const holder = holderOf((yield* Membership).self)
    const watch = yield* Watch
    const read = Effect.fnUntraced(function* ({ name, project }: Named) {
      const id = Fleet.fleetIdOf(project, name)
      const { once } = yield* Storage
      const fleet = yield* once((tx) => tx.get(Fleet.fleets, { id }), { label: "fleets/get" })
      if (fleet === undefined) return undefined
      return fleetView(fleet, yield* once((tx) => tx.get(Fleet.fleetStatuses, { id }), { label: "fleets/status" }))
    })
    const stable = (named: Named, waitSeconds: number | undefined) =>
      Effect.map(
        untilStable(
          watch,
          { project: named.project, id: Fleet.fleetIdOf(named.project, named.name) },
          { read: read(named), waitSeconds }
        ),
        (view) => ({ view, isStable: view !== undefined && unstable(view) === undefined })
      )
    return handlers.handleAll({
      put: ({ params, headers, payload, query }) =>
        idempotently(
          {
            headers,
            project: params.project,
            route: "fleets/put",
            method: "PUT",
            path: `/v1/projects/${params.project}/fleets/${params.name}`,
            body: payload,
            holder,
            isDryRun: query.dryRun === "true",
            etag: tagOf
          },
          (transaction, { conditions }) => put(transaction, { ...params, ...payload }, conditions)
        ).pipe(
          Effect.flatMap((told) =>
            query.wait === undefined || query.dryRun === "true" || told.status >= 400
              ? Effect.succeed(told)
              : Effect.map(stable(params, query.waitSeconds), ({ isStable, view }) =>
                  view === undefined ? told : respond(view, isStable ? told.status : 202)
                )
          ),
          Effect.catchTag("StorageError", unavailable),
          Effect.catchTag("FeedError", notFollowed),
          Effect.catchTag("Compacted", ({ detail }) => new Unavailable({ detail, retryAfterSeconds: 1 }))
        ),
      delete: ({ params, headers, query }) =>
        idempotently(
          {
            headers,
            project: params.project,
            route: "fleets/delete",
            method: "DELETE",
            path: `/v1/projects/${params.project}/fleets/${params.name}`,
            body: null,
            holder,
            isDryRun: query.dryRun === "true",
            etag: tagOf
          },
          (transaction, { conditions }) => remove(transaction, Fleet.fleetIdOf(params.project, params.name), conditions)
        ),
      redrive: ({ params, headers, query }) =>
        idempotently(
          {
            headers,
            project: params.project,
            route: "fleets/redrive",
            method: "POST",
            path: `/v1/projects/${params.project}/fleets/${params.name}/redrive`,
            body: null,
            holder,
            isDryRun: query.dryRun === "true",
            etag: tagOf
          },
          (transaction, { conditions }) =>
            redriveFleet(transaction, Fleet.fleetIdOf(params.project, params.name), conditions)
        ),
      get: ({ params, query, request }) =>
        Effect.gen(function* () {
          const asked = request.headers["if-none-match"]
          if (query.wait === undefined) {
            const view = yield* read(params)
            if (view === undefined) return yield* missing(params)
            return shown(FleetView, view, { asked, etag: etag.ofFleet(view) })
          }
          const { isStable, view } = yield* stable(params, query.waitSeconds)
          if (view === undefined) return yield* missing(params)
          return isStable ? shown(FleetView, view, { asked, etag: etag.ofFleet(view) }) : respond(view, 202)
        }).pipe(
          Effect.catchTag("StorageError", unavailable),
          Effect.catchTag("FeedError", notFollowed),
          Effect.catchTag("Compacted", ({ detail }) => new Unavailable({ detail, retryAfterSeconds: 1 }))
        ),
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
          return masked(query.fields, { items: shown, next, revision })
        }).pipe(Effect.catchTag("StorageError", unavailable), Effect.provideService(Feed, feed))
    })
  })
)
