/** The endpoints for those who look after the control plane: who is there, and who holds what. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Bucket from "../bucket/Bucket.ts"
import { agents } from "../heartbeat/Heartbeat.ts"
import { bucketsPerGroup, listRowsMax } from "../Limits.ts"
import { members } from "../member/Member.ts"
import { Feed } from "../ports/Feed.ts"
import { leases } from "../ports/Storage.ts"
import { Api } from "./Api.ts"
import { masked } from "./masked.ts"
import * as paging from "./paging.ts"
import { unavailable } from "./problems.ts"
import { BadRequest } from "./ApiErrors.ts"
import type { BucketsView } from "./Views.ts"

/** The groups that there always are, each with its lease as it was when the list began. */
const bucketsPage = Effect.fnUntraced(function* (asked: paging.Asked) {
  const question = "buckets"
  const position = yield* paging.positionOf(asked, question)
  const from = position === undefined ? 0 : Number(position.last) + 1
  if (!Number.isSafeInteger(from) || from < 0)
    return yield* new BadRequest({ detail: "query.after: no token of a page" })
  const upTo = from + (asked.limit ?? listRowsMax)
  const groups = Bucket.groups.slice(from, upTo)
  const isLast = upTo >= Bucket.groups.length
  const revision = position?.revision ?? (yield* paging.revisionNow)
  const held = { table: leases, key: "key", label: "inspection/buckets", where: {} } as const
  const leaseOf = yield* paging.rowsAt(held, groups.map(Bucket.leaseOf), isLast && from === 0 ? null : revision)
  return {
    items: groups.map((group): BucketsView => {
      const lease = Bucket.leaseOf(group)
      const { epoch = null, expiresAt = null, holder = null, releasedAt = null } = leaseOf.get(lease) ?? {}
      return {
        group,
        firstBucket: group * bucketsPerGroup,
        lastBucket: (group + 1) * bucketsPerGroup - 1,
        lease,
        holder: releasedAt === null ? holder : null,
        epoch,
        expiresAt
      }
    }),
    next: isLast ? null : paging.tokenOf({ revision, last: String(upTo - 1), question }),
    revision
  }
})

export const layer = HttpApiBuilder.group(
  Api,
  "inspection",
  Effect.fn(function* (handlers) {
    const feed = yield* Feed
    const listed =
      <R extends object>(listed: paging.Listed<R>) =>
      ({ query: { fields, ...asked } }: { readonly query: paging.Asked & { readonly fields?: string | undefined } }) =>
        Effect.map(paging.page(listed, asked), (page) => masked(fields, page)).pipe(
          Effect.catchTag("StorageError", unavailable),
          Effect.provideService(Feed, feed)
        )
    return handlers.handleAll({
      members: listed({ table: members, key: "id", label: "inspection/members", where: {} }),
      leases: listed({ table: leases, key: "key", label: "inspection/leases", where: {} }),
      buckets: ({ query: { fields, ...asked } }) =>
        Effect.map(bucketsPage(asked), (page) => masked(fields, page)).pipe(
          Effect.catchTag("StorageError", unavailable),
          Effect.provideService(Feed, feed)
        ),
      agents: listed({ table: agents, key: "id", label: "inspection/agents", where: {} })
    })
  })
)
