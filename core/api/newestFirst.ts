/**
 * Lists of what is only added to, the newest first, a page at a time: of each its time and its id tell the place. A page is of its own moment; what
 * has come since the first one is before it, and is shown to nobody who goes on.
 */
import * as Effect from "effect/Effect"
import { listRowsMax } from "../Limits.ts"
import { and, type Condition, le, lt, or, type Row } from "../ports/Condition.ts"
import { BadRequest } from "./ApiErrors.ts"
import * as paging from "./paging.ts"

export interface Place {
  readonly at: number
  readonly id: string
}

export interface Question {
  /** Names what is asked for: a token of another one is refused. */
  readonly question: string
  readonly limit: number
  /** Where the page before ended; undefined of the first. */
  readonly before: Place | undefined
}

export const questionOf = (asked: paging.Asked, question: string): Effect.Effect<Question, BadRequest> =>
  Effect.gen(function* () {
    const position = yield* paging.positionOf(asked, question)
    const before = position === undefined ? undefined : placeOf(position.last)
    if (position !== undefined && before === undefined) {
      return yield* new BadRequest({ detail: "query.after: no token of a page" })
    }
    return { question, limit: asked.limit ?? listRowsMax, before }
  })

/** How the rows of a page are asked for: one more than it shows, so that it is known whether it is the last. */
export const selection = <R extends Place>({ before, limit }: Question, isWanted: (row: Row<R>) => Condition) => ({
  where: (row: Row<R>) => (before === undefined ? isWanted(row) : and(isWanted(row), isBefore(row, before))),
  orderBy: [
    { column: "at", direction: "desc" },
    { column: "id", direction: "desc" }
  ] as const,
  limit: limit + 1
})

/** Of rows in their order. */
export const pageOf = <R extends Place, V>(
  { limit, question }: Question,
  found: ReadonlyArray<R>,
  view: (row: R) => V
) => {
  const items = found.slice(0, limit)
  const last = items.at(-1)
  const isLast = found.length <= limit || last === undefined
  return {
    items: items.map(view),
    next: isLast ? null : paging.tokenOf({ revision: "", last: `${last.at} ${last.id}`, question }),
    revision: null
  }
}

/** The first condition alone says where in an index to begin. */
function isBefore<R extends Place>(row: Row<R>, { at, id }: Place): Condition {
  return and(le(row.at, at), or(lt(row.at, at), lt(row.id, id)))
}

function placeOf(last: string): Place | undefined {
  const [, at, id] = /^(\d+) (\S+)$/.exec(last) ?? []
  return id === undefined || !Number.isSafeInteger(Number(at)) ? undefined : { at: Number(at), id }
}
