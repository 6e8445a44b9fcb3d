/** What has happened in a project: the events of it, of one fleet, or of one instance. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { type Event, events } from "../event/Event.ts"
import { fleetIdOf } from "../fleet/Fleet.ts"
import { and, eq } from "../ports/Condition.ts"
import { Storage } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { masked } from "./masked.ts"
import * as newestFirst from "./newestFirst.ts"
import type * as paging from "./paging.ts"
import { unavailable } from "./problems.ts"
import { eventView } from "./Views.ts"

export interface Wanted {
  /** By name. */
  readonly fleet?: string | undefined
  /** By uid. */
  readonly instance?: string | undefined
}

/** What is about something that is gone is shown like all else, as long as it is kept. */
export const page = Effect.fnUntraced(function* (project: string, { fleet, instance }: Wanted, asked: paging.Asked) {
  const { once } = yield* Storage
  const question = yield* newestFirst.questionOf(asked, JSON.stringify(["events", project, fleet, instance]))
  const options = newestFirst.selection<Event>(question, (row) =>
    and(
      eq(row.project, project),
      ...(fleet === undefined ? [] : [eq(row.fleet, fleetIdOf(project, fleet))]),
      ...(instance === undefined ? [] : [eq(row.instance, instance)])
    )
  )
  const found = yield* once((tx) => tx.select(events, options), { label: "events/list" })
  return newestFirst.pageOf(question, found, eventView)
})

export const layer = HttpApiBuilder.group(Api, "events", (handlers) =>
  handlers.handleAll({
    list: ({ params: { project }, query: { fields, fleet, instance, ...asked } }) =>
      Effect.map(page(project, { fleet, instance }, asked), (found) => masked(fields, found)).pipe(
        Effect.catchTag("StorageError", unavailable)
      )
  })
)
