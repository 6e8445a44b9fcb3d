/** The endpoints for those who look after the control plane: who is there, and who holds what. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { agents } from "../heartbeat/Heartbeat.ts"
import { listRowsMax } from "../Limits.ts"
import { members } from "../member/Member.ts"
import { leases, Storage } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { unavailable } from "./problems.ts"

export const layer = HttpApiBuilder.group(
  Api,
  "inspection",
  Effect.fn(function* (handlers) {
    const { once } = yield* Storage
    return handlers.handleAll({
      members: () =>
        once((tx) => tx.select(members, { orderBy: ["id"], limit: listRowsMax }), { label: "inspection/members" }).pipe(
          Effect.catchTag("StorageError", unavailable)
        ),
      leases: () =>
        once((tx) => tx.select(leases, { orderBy: ["key"], limit: listRowsMax }), { label: "inspection/leases" }).pipe(
          Effect.catchTag("StorageError", unavailable)
        ),
      agents: () =>
        once((tx) => tx.select(agents, { orderBy: ["id"], limit: listRowsMax }), { label: "inspection/agents" }).pipe(
          Effect.catchTag("StorageError", unavailable)
        )
    })
  })
)
