/**
 * What was asked to be changed in a project: the entries of the audit that are of it, sealed or not yet.
 *
 * - O1 They are shown in the order of their times, the newest first, each once: an entry keeps its time and its id when it is sealed.
 * - O2 What waits is read first: an entry that is sealed meanwhile is found in both places, and never in neither.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Audit from "../audit/Audit.ts"
import { listRowsMax } from "../Limits.ts"
import { and, type Condition, eq, lt, or, type Row } from "../ports/Condition.ts"
import { Storage } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { BadRequest } from "./ApiErrors.ts"
import { masked } from "./masked.ts"
import * as paging from "./paging.ts"
import { unavailable } from "./problems.ts"
import type { OperationView } from "./Views.ts"

type Place = Pick<Audit.Entry, "at" | "id">

const page = Effect.fnUntraced(function* (project: string, asked: paging.Asked) {
  const { once } = yield* Storage
  const { limit = listRowsMax } = asked
  const question = `operations of ${project}`
  const position = yield* paging.positionOf(asked, question)
  const before = position === undefined ? undefined : placeOf(position.last)
  if (position !== undefined && before === undefined) {
    return yield* new BadRequest({ detail: "query.after: no token of a page" })
  }
  const isWanted = (row: Row<Audit.Entry>): Condition =>
    and(
      eq(row.project, project),
      ...(before === undefined ? [] : [or(lt(row.at, before.at), and(eq(row.at, before.at), lt(row.id, before.id)))])
    )
  const options = {
    where: isWanted,
    orderBy: [
      { column: "at", direction: "desc" },
      { column: "id", direction: "desc" }
    ],
    limit: limit + 1
  } as const
  const label = "operations/list"
  const waiting = yield* once((tx) => tx.select(Audit.auditPending, options), { label })
  const sealed = yield* once((tx) => tx.select(Audit.auditLog, options), { label })
  const found = newest([...waiting, ...sealed])
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const isLast = found.length <= limit || last === undefined
  return {
    items: items.map(operationView),
    next: isLast ? null : paging.tokenOf({ revision: "", last: `${last.at} ${last.id}`, question }),
    revision: null
  }
})

/** Pure: each once, the newest first. */
const newest = (entries: ReadonlyArray<Audit.Entry>): ReadonlyArray<Audit.Entry> =>
  [...new Map(entries.map((each) => [each.id, each])).values()].toSorted(
    (a, b) => b.at - a.at || (a.id < b.id ? 1 : -1)
  )

function placeOf(last: string): Place | undefined {
  const [, at, id] = /^(\d+) (\S+)$/.exec(last) ?? []
  return id === undefined || !Number.isSafeInteger(Number(at)) ? undefined : { at: Number(at), id }
}

/** Without the key that it came with, which is for those who administer keys. */
const operationView = ({
  action,
  at,
  id,
  path,
  principal,
  requestId,
  revision,
  status
}: Audit.Entry): OperationView => ({ id, at, principal, action, path, requestId, status, revision })

export const layer = HttpApiBuilder.group(Api, "operations", (handlers) =>
  handlers.handleAll({
    list: ({ params: { project }, query: { fields, ...asked } }) =>
      Effect.map(page(project, asked), (found) => masked(fields, found)).pipe(
        Effect.catchTag("StorageError", unavailable)
      )
  })
)
