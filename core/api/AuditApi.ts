/** The endpoints of the audit log. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Audit from "../audit/Audit.ts"
import { gt } from "../ports/Condition.ts"
import { Storage } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { unavailable } from "./problems.ts"

export const layer = HttpApiBuilder.group(Api, "audit", (handlers) =>
  handlers.handleAll({
    list: ({ query: { after, limit = 100 } }) =>
      Effect.flatMap(Storage, ({ once }) =>
        once(
          (tx) =>
            after === undefined
              ? tx.select(Audit.auditLog, { orderBy: [{ column: "seq", direction: "desc" }], limit })
              : tx.select(Audit.auditLog, { where: (row) => gt(row.seq, after), orderBy: ["seq"], limit }),
          { label: "audit/list" }
        )
      ).pipe(
        Effect.map((found) => ({ entries: after === undefined ? found.toReversed() : found })),
        Effect.catchTag("StorageError", unavailable)
      )
  })
)
