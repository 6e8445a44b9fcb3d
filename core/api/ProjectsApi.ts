/** The projects that there are: the names that have a fleet, an instance or a quota. They have no table of their own. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { fleets } from "../fleet/Fleet.ts"
import { Asking, everyProject, type Principal } from "../identity/Access.ts"
import { instances } from "../instance/Instance.ts"
import { projectsPageMax } from "../Limits.ts"
import { and, type Condition, gt, isIn, type Row } from "../ports/Condition.ts"
import { Feed } from "../ports/Feed.ts"
import { Storage, type StorageError, type Transaction } from "../ports/Storage.ts"
import { quotas } from "../quota/Quota.ts"
import { Api } from "./Api.ts"
import { masked } from "./masked.ts"
import * as paging from "./paging.ts"
import { unavailable } from "./problems.ts"
import type { ProjectView } from "./Views.ts"

type Where = (row: Row<{ readonly project: string }>) => Condition

type First = (tx: Transaction, where: Where) => Effect.Effect<ReadonlyArray<{ readonly project: string }>, StorageError>

/** The first row of each kind, by an index that begins with its project. */
const firsts: ReadonlyArray<First> = [
  (tx, where) => tx.select(fleets, { where, orderBy: ["project", "id"], limit: 1 }),
  (tx, where) => tx.select(instances, { where, orderBy: ["project", "uid"], limit: 1 }),
  (tx, where) => tx.select(quotas, { where, orderBy: ["project"], limit: 1 })
]

/** From each name to the next one: what lies between, which may be very much, is not read. */
const page = Effect.fnUntraced(function* ({ projects }: Principal, asked: paging.Asked) {
  const { once } = yield* Storage
  const question = "projects"
  const position = yield* paging.positionOf(asked, question)
  const revision = position?.revision ?? (yield* paging.revisionNow)
  const limit = Math.min(asked.limit ?? projectsPageMax, projectsPageMax)
  const label = "projects/list"
  const nextIn = (first: First, after: string) =>
    Effect.map(
      once(
        (tx) =>
          first(tx, (row) =>
            and(gt(row.project, after), ...(projects.includes(everyProject) ? [] : [isIn(row.project, projects)]))
          ),
        { label }
      ),
      ([row]) => row?.project
    )
  const found: Array<string> = []
  const after = position?.last ?? ""
  const nexts = yield* Effect.forEach(firsts, (first) => nextIn(first, after))
  for (;;) {
    const [name] = nexts.filter((each) => each !== undefined).toSorted()
    if (name === undefined || found.length > limit) break
    found.push(name)
    for (const [index, first] of firsts.entries()) if (nexts[index] === name) nexts[index] = yield* nextIn(first, name)
  }
  const names = found.slice(0, limit)
  const limits = yield* once((tx) => tx.select(quotas, { where: (row) => isIn(row.project, names) }), { label })
  const quotaOf = new Map(limits.map((quota) => [quota.project, quota]))
  return {
    items: names.map((name): ProjectView => {
      const { fleetsMax = null, instancesMax = null } = quotaOf.get(name) ?? {}
      return { name, fleetsMax, instancesMax }
    }),
    next: found.length > limit ? paging.tokenOf({ revision, last: names.at(-1)!, question }) : null,
    revision
  }
})

export const layer = HttpApiBuilder.group(
  Api,
  "projects",
  Effect.fn(function* (handlers) {
    const feed = yield* Feed
    return handlers.handleAll({
      list: ({ query: { fields, ...asked } }) =>
        Effect.gen(function* () {
          return masked(fields, yield* page(yield* Asking, asked))
        }).pipe(Effect.catchTag("StorageError", unavailable), Effect.provideService(Feed, feed))
    })
  })
)
