/** The endpoints for those who look after the control plane: who is there, and who holds what. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import type * as Schema from "effect/Schema"
import { agents } from "../heartbeat/Heartbeat.ts"
import { members } from "../member/Member.ts"
import { Feed } from "../ports/Feed.ts"
import { leases } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { masked } from "./masked.ts"
import * as paging from "./paging.ts"
import { unavailable } from "./problems.ts"
import { AgentView, LeaseView, MemberView } from "./Views.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "inspection",
  Effect.fn(function* (handlers) {
    const feed = yield* Feed
    const listed =
      <R extends object, F extends Schema.Struct.Fields>(listed: paging.Listed<R>, view: Schema.Struct<F>) =>
      ({ query: { fields, ...asked } }: { readonly query: paging.Asked & { readonly fields?: string | undefined } }) =>
        Effect.gen(function* () {
          return yield* masked(view, fields, yield* paging.page(listed, asked))
        }).pipe(Effect.catchTag("StorageError", unavailable), Effect.provideService(Feed, feed))
    return handlers.handleAll({
      members: listed({ table: members, key: "id", label: "inspection/members", where: {} }, MemberView),
      leases: listed({ table: leases, key: "key", label: "inspection/leases", where: {} }, LeaseView),
      agents: listed({ table: agents, key: "id", label: "inspection/agents", where: {} }, AgentView)
    })
  })
)
