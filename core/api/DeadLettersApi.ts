/** What is parked, and asking for it again. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Event from "../event/Event.ts"
import * as Fleet from "../fleet/Fleet.ts"
import * as fleetEvents from "../fleet/fleetEvents.ts"
import type { Answer } from "../idempotency/IdempotencyKey.ts"
import * as Instance from "../instance/Instance.ts"
import * as instanceEvents from "../instance/instanceEvents.ts"
import { listRowsMax } from "../Limits.ts"
import { and, eq, isNotNull } from "../ports/Condition.ts"
import { Feed } from "../ports/Feed.ts"
import type { StorageError, Transaction } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { NotFound } from "./ApiErrors.ts"
import * as etag from "./etag.ts"
import { answer, type Conditions } from "./idempotently.ts"
import { masked } from "./masked.ts"
import * as paging from "./paging.ts"
import { refused, unavailable } from "./problems.ts"
import type { DeadLetterView } from "./Views.ts"
import { deadLetterView, FleetView, fleetView, InstanceView, instanceView } from "./Views.ts"

/** A new try for the fleet and for its instances, where they are parked: 202; 200 where nothing is. */
export const redriveFleet = (
  transaction: Transaction,
  id: string,
  conditions: Conditions
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const fleet = yield* transaction.get(Fleet.fleets, { id }, { lock: "for update" })
    const unmet = conditions.unmet(fleet === undefined ? undefined : etag.ofFleet(fleetView(fleet, undefined)))
    if (unmet !== undefined) return refused(unmet)
    if (fleet === undefined) return refused(new NotFound({ detail: `there is no fleet ${id}` }))
    const parked = yield* transaction.select(Instance.instances, {
      where: (row) => and(eq(row.fleet, id), isNotNull(row.parkedAt)),
      orderBy: ["uid"]
    })
    if (fleet.parkedAt === null && parked.length === 0) {
      return answer(200, FleetView, fleetView(fleet, undefined), fleet.generation)
    }
    const [again = fleet] = yield* Fleet.redrive(transaction, id)
    const uids = parked.map(({ uid }) => uid)
    const members = uids.length > 0 ? yield* Instance.redrive(transaction, uids) : []
    yield* Event.record(transaction, [
      ...(fleet.parkedAt === null ? [] : [fleetEvents.redriven(fleet)]),
      ...members.map(instanceEvents.redriven)
    ])
    return answer(202, FleetView, fleetView(again, undefined), again.generation)
  })

/** The same for one instance, on behalf of somebody who may change these projects. */
export const redriveInstance = (
  transaction: Transaction,
  uid: string,
  { conditions, mayChange }: { readonly conditions: Conditions; readonly mayChange: (project: string) => boolean }
): Effect.Effect<Answer, StorageError> =>
  Effect.gen(function* () {
    const found = yield* transaction.get(Instance.instances, { uid })
    if (found === undefined || !mayChange(found.project))
      return refused(new NotFound({ detail: `there is no instance ${uid}` }))
    // Its fleet replaces it, and is locked first.
    if (found.fleet !== null) yield* Fleet.markDue(transaction, [found.fleet], 0)
    const instance = yield* transaction.get(Instance.instances, { uid }, { lock: "for update" })
    const unmet = conditions.unmet(instance === undefined ? undefined : etag.ofInstance(instanceView(instance)))
    if (unmet !== undefined) return refused(unmet)
    if (instance === undefined) return refused(new NotFound({ detail: `there is no instance ${uid}` }))
    const [again] = yield* Instance.redrive(transaction, [uid])
    if (again !== undefined) yield* Event.record(transaction, [instanceEvents.redriven(again)])
    const shown = again ?? instance
    return answer(again === undefined ? 200 : 202, InstanceView, instanceView(shown), shown.revision)
  })

/** The part of the list that a page token continues; the rest of the token is that part's own. */
const parts = ["fleet", "instance"] as const
type Part = (typeof parts)[number]

const partOf = (after: string | undefined): { readonly part: Part; readonly after: string | undefined } => {
  const part = parts.find((each) => after?.startsWith(`${each}.`) === true)
  if (after === undefined || part === undefined) return { part: "fleet", after }
  const rest = after.slice(part.length + 1)
  return { part, after: rest === "" ? undefined : rest }
}

/** Each part is of one moment, as the list of it is. */
const page = Effect.fnUntraced(function* (project: string, asked: paging.Asked) {
  const { limit = listRowsMax } = asked
  const { after, part } = partOf(asked.after)
  const of = { label: "dead-letters/list", where: { project }, having: "parkedAt" } as const
  const items: Array<DeadLetterView> = []
  if (part === "fleet") {
    const fleets = yield* paging.page({ ...of, table: Fleet.fleets, key: "id" }, { limit, after })
    items.push(...fleets.items.map(deadLetterView))
    if (fleets.next !== null) return { ...fleets, items, next: `fleet.${fleets.next}` }
    if (items.length === limit) return { items, next: "instance.", revision: fleets.revision }
  }
  const instances = yield* paging.page(
    { ...of, table: Instance.instances, key: "uid" },
    { limit: limit - items.length, after: part === "instance" ? after : undefined }
  )
  items.push(...instances.items.map(deadLetterView))
  return { ...instances, items, next: instances.next === null ? null : `instance.${instances.next}` }
})

export const layer = HttpApiBuilder.group(
  Api,
  "dead-letters",
  Effect.fn(function* (handlers) {
    const feed = yield* Feed
    return handlers.handleAll({
      list: ({ params: { project }, query: { fields, ...asked } }) =>
        Effect.gen(function* () {
          return masked(fields, yield* page(project, asked))
        }).pipe(Effect.catchTag("StorageError", unavailable), Effect.provideService(Feed, feed))
    })
  })
)
