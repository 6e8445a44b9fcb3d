/** The endpoints of instances. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Event from "../event/Event.ts"
import * as Facts from "../facts/Facts.ts"
import * as Mark from "../facts/Mark.ts"
import * as Fleet from "../fleet/Fleet.ts"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import { Asking, mayDo } from "../identity/Access.ts"
import * as Instance from "../instance/Instance.ts"
import * as instanceEvents from "../instance/instanceEvents.ts"
import { makeUid } from "../instance/makeUid.ts"
import { reconcileProgressMillis } from "../Limits.ts"
import { holderOf } from "../member/Member.ts"
import { Membership } from "../member/Membership.ts"
import { and, eq } from "../ports/Condition.ts"
import { Feed } from "../ports/Feed.ts"
import type { Spec } from "../ports/Provider.ts"
import { SerializationFailure, Storage, StorageError, type Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import type { DeletionAsked } from "./ApiFacts.ts"
import { Conflict, NotFound } from "./ApiErrors.ts"
import { redriveInstance } from "./DeadLettersApi.ts"
import * as etag from "./etag.ts"
import { overQuota } from "./QuotasApi.ts"
import { answer, type Conditions, type Headers, idempotently, type Mutation, shown } from "./idempotently.ts"
import { masked } from "./masked.ts"
import { otherSpec } from "./otherSpec.ts"
import * as paging from "./paging.ts"
import { refused, unavailable } from "./problems.ts"
import { InstanceView, instanceView } from "./Views.ts"

const guarded = Mark.sometimes("create of an instance that is there already, under another key")

/**
 * Creates a standalone instance under the name that the client has chosen. The name guards where the idempotency key cannot: another
 * key for the same wish finds what is there, for another wish it is refused.
 */
export const create = (
  transaction: Transaction,
  wanted: { readonly project: string; readonly name: string; readonly spec: Spec }
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const isThere = (found: ReadonlyArray<unknown>) => ({ fleets: 0, instances: found.length > 0 ? 0 : 1 })
    const present = transaction.select(Instance.instances, {
      where: (row) => and(eq(row.project, wanted.project), eq(row.liveName, wanted.name))
    })
    const refusal = yield* overQuota(transaction, wanted.project, Effect.map(present, isThere))
    if (refusal !== undefined) return refusal
    const uid = yield* makeUid(wanted.name)
    const [created] = yield* Instance.create(transaction, [{ ...wanted, uid, fleet: null, ordinal: null }])
    if (created !== undefined) return answer(202, InstanceView, instanceView(created), created.revision)
    const [found] = yield* present
    // Between the two statements its deletion was asked for: from the beginning, once more.
    if (found === undefined) {
      return yield* new StorageError({ label: "instances/create", reason: new SerializationFailure() })
    }
    yield* Mark.hit(guarded)
    const other = otherSpec(`instance ${wanted.name} (${found.uid})`, found.spec, wanted.spec)
    if (other !== undefined) return refused(new Conflict({ detail: other }))
    return answer(found.state === "RUNNING" ? 200 : 202, InstanceView, instanceView(found), found.revision)
  })

/** Asks for the end of the instance with this uid, whatever else has its name by now, on behalf of somebody who may change these projects. */
export const requestDeletion = (
  transaction: Transaction,
  uid: string,
  { conditions, mayChange }: { readonly conditions: Conditions; readonly mayChange: (project: string) => boolean }
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const instance = yield* transaction.get(Instance.instances, { uid })
    if (instance === undefined || !mayChange(instance.project))
      return refused(new NotFound({ detail: `there is no instance ${uid}` }))
    if (instance.fleet !== null) yield* Fleet.markDue(transaction, [instance.fleet], reconcileProgressMillis)
    if (!conditions.isNone) {
      const locked = yield* transaction.get(Instance.instances, { uid }, { lock: "for update" })
      const unmet = conditions.unmet(locked === undefined ? undefined : etag.ofInstance(instanceView(locked)))
      if (unmet !== undefined) return refused(unmet)
    }
    const gone = yield* Instance.requestDeletion(transaction, [instance.uid])
    yield* Event.record(
      transaction,
      gone.map((each) => instanceEvents.deletionRequested(each, "by request"))
    )
    const [asked] = gone
    // Somebody else may have asked since the first look: the answer shows the end that was asked for.
    const present = asked ?? (yield* transaction.get(Instance.instances, { uid }))
    if (present === undefined) return refused(new NotFound({ detail: `there is no instance ${uid}` }))
    return answer(202, InstanceView, instanceView(present), present.revision)
  })

interface Changing {
  readonly headers: Headers
  readonly params: { readonly uid: string }
  readonly query: { readonly dryRun?: "true" | "false" | undefined }
}

const tagOf = (body: string): string => etag.ofInstance(JSON.parse(body) as InstanceView)

export const layer = HttpApiBuilder.group(
  Api,
  "instances",
  Effect.fn(function* (handlers) {
    const feed = yield* Feed
    const holder = holderOf((yield* Membership).self)
    /** A change of the instance with this uid, whose project is known only once it was read. */
    const changed = (
      { headers, params: { uid }, query }: Changing,
      { method, path, route }: Pick<Mutation, "method" | "path" | "route">,
      change: typeof requestDeletion
    ) =>
      idempotently(
        {
          headers,
          project: "",
          route,
          method,
          path,
          body: null,
          holder,
          isDryRun: query.dryRun === "true",
          etag: tagOf
        },
        (transaction, { conditions, principal }) =>
          Effect.map(
            change(transaction, uid, { conditions, mayChange: (project) => mayDo(principal, "write", project) }),
            (told) =>
              told.status >= 400 ? told : { ...told, project: (JSON.parse(told.body) as InstanceView).project }
          )
      )
    return handlers.handleAll({
      create: ({ params, headers, payload, query }) =>
        idempotently(
          {
            headers,
            project: params.project,
            route: "instances/create",
            method: "POST",
            path: `/v1/projects/${params.project}/instances`,
            body: payload,
            holder,
            isDryRun: query.dryRun === "true",
            etag: tagOf
          },
          (transaction) => create(transaction, { ...params, ...payload })
        ),
      delete: (request) => {
        const { uid } = request.params
        const path = `/v1/instances/${uid}`
        return Effect.andThen(
          request.query.dryRun === "true"
            ? Effect.void
            : Facts.emit({ _tag: "DeletionAsked", uid } satisfies DeletionAsked),
          changed(request, { route: "instances/delete", method: "DELETE", path }, requestDeletion)
        )
      },
      redrive: (request) => {
        const path = `/v1/instances/${request.params.uid}/redrive`
        return changed(request, { route: "instances/redrive", method: "POST", path }, redriveInstance)
      },
      get: ({ params, request }) =>
        Effect.gen(function* () {
          const { uid } = params
          const { once } = yield* Storage
          const instance = yield* once((tx) => tx.get(Instance.instances, { uid }), { label: "instances/get" })
          if (instance === undefined || !mayDo(yield* Asking, "read", instance.project))
            return yield* new NotFound({ detail: `there is no instance ${uid}` })
          const view = instanceView(instance)
          return shown(InstanceView, view, { asked: request.headers["if-none-match"], etag: etag.ofInstance(view) })
        }).pipe(Effect.catchTag("StorageError", unavailable)),
      list: ({ params: { project }, query: { fields, fleet, state, ...asked } }) =>
        Effect.gen(function* () {
          const where = {
            project,
            ...(state === undefined ? {} : { state }),
            ...(fleet === undefined ? {} : { fleet: Fleet.fleetIdOf(project, fleet) })
          }
          const { items, next, revision } = yield* paging.page(
            { table: Instance.instances, key: "uid", label: "instances/list", where },
            asked
          )
          return masked(fields, { items: items.map(instanceView), next, revision })
        }).pipe(Effect.catchTag("StorageError", unavailable), Effect.provideService(Feed, feed))
    })
  })
)
