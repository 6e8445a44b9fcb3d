/**
 * What was asked to be changed in a project: the entries of the audit that are of it, sealed or not yet.
 *
 * - O1 They are shown in the order of their times, the newest first, each once: an entry keeps its time and its id when it is sealed.
 * - O2 What waits is read first: an entry that is sealed meanwhile is found in both places, and never in neither.
 */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Audit from "../audit/Audit.ts"
import { eq } from "../ports/Condition.ts"
import { Storage } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { masked } from "./masked.ts"
import * as newestFirst from "./newestFirst.ts"
import type * as paging from "./paging.ts"
import { unavailable } from "./problems.ts"
import type { OperationView } from "./Views.ts"

const page = Effect.fnUntraced(function* (project: string, asked: paging.Asked) {
  const { once } = yield* Storage
  const question = yield* newestFirst.questionOf(asked, `operations of ${project}`)
  const options = newestFirst.selection<Audit.Entry>(question, (row) => eq(row.project, project))
  const label = "operations/list"
  const waiting = yield* once((tx) => tx.select(Audit.auditPending, options), { label })
  const sealed = yield* once((tx) => tx.select(Audit.auditLog, options), { label })
  return newestFirst.pageOf(question, newest([...waiting, ...sealed]), operationView)
})

/** Pure: each once, the newest first. */
const newest = (entries: ReadonlyArray<Audit.Entry>): ReadonlyArray<Audit.Entry> =>
  [...new Map(entries.map((each) => [each.id, each])).values()].toSorted(
    (a, b) => b.at - a.at || (a.id < b.id ? 1 : -1)
  )

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
