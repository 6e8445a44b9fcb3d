/**
 * Lists, a page at a time, in the order of their keys.
 *
 * - G1 A list that fits in one page is one statement, and so of one moment. Its revision is not told: to ask the feed for it would be a statement
 *   more, for each list, and most are of one page and never watched.
 * - G2 The pages of a longer one are all of one moment, the revision: each row is shown as it was then, also one that was changed or removed
 *   before its page was asked for, and none that came later. What is there now is read, and what the change feed gave since is undone.
 * - G3 A revision is a token of the change feed, and as durable: any node knows it, and a watch that goes on `after` it tells all that the
 *   list does not show. It is refused as `Compacted` when it is older than what is kept, or when more has happened since than may be undone.
 * - G4 A page token names the revision, the last key, and what was asked for; with another question it is refused.
 */
import * as Base64Url from "effect/encoding/Base64Url"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Mark from "../facts/Mark.ts"
import { listChangesMax, listRowsMax } from "../Limits.ts"
import { and, eq, type Expression, gt, isIn, isNotNull } from "../ports/Condition.ts"
import { type Change, type Cursor, Feed, type FeedError } from "../ports/Feed.ts"
import { Storage } from "../ports/Storage.ts"
import type { Table } from "../ports/Table.ts"
import { Text } from "../ports/Text.ts"
import { BadRequest, Compacted } from "./ApiErrors.ts"
import { notFollowed } from "./problems.ts"

const undone = Mark.sometimes("change since the revision of a list undone for one of its pages")

export interface Asked {
  readonly limit?: number | undefined
  /** The `next` of the page before. */
  readonly after?: string | undefined
}

export interface Page<R> {
  readonly items: ReadonlyArray<R>
  /** Null: this was the last. A page that is not the last may be short, even empty. */
  readonly next: string | null
  /** Null of a list that was one page. */
  readonly revision: string | null
}

export interface Listed<R> {
  readonly table: Table<R>
  /** The primary key, one column of ASCII text, which the database and this program sort alike. */
  readonly key: keyof R & string
  /** Of its statements. */
  readonly label: string
  /** What each row must be. */
  readonly where: Partial<R>
  /** A column that may be null, and of which each row has something. */
  readonly having?: keyof R & string
}

const Position = Schema.fromJsonString(Schema.Struct({ revision: Text, last: Text, question: Schema.String }))
type Position = typeof Position.Type
const decodePosition = Schema.decodeUnknownOption(Position)
const encodePosition = Schema.encodeSync(Position)

/** The token of the page that follows. */
export const tokenOf = (position: Position): string => Base64Url.encode(encodePosition(position))

/** Of this moment. */
export const revisionNow = Effect.gen(function* () {
  const feed = yield* Feed
  return (yield* followed(feed.list([]))).cursor
})

/** Names each page of the rows that are asked for. */
export const page = <R>(listed: Listed<R>, asked: Asked) =>
  Effect.gen(function* () {
    const { having, key, table, where } = listed
    const limit = asked.limit ?? listRowsMax
    const question = JSON.stringify([table.name, where, ...(having === undefined ? [] : [having])])
    const position = yield* positionOf(asked, question)
    if (position === undefined) {
      const rows = yield* read(listed, "", limit + 1)
      if (rows.length <= limit) return { items: rows, next: null, revision: null } satisfies Page<R>
    }
    const revision: Cursor = position?.revision ?? (yield* revisionNow)
    const after = position?.last ?? ""
    const rows = yield* read(listed, after, limit)
    const end = rows.length < limit ? undefined : keyOf(rows.at(-1)!, key)
    const now = new Map(rows.map((row) => [keyOf(row, key), row]))
    const then = restored(listed, now, yield* changesSince(revision))
    const known = [...then.keys()].filter((each) => each > after && (end === undefined || each <= end)).toSorted()
    const keys = known.slice(0, limit)
    const last = known.length > limit ? keys.at(-1) : end
    return {
      items: keys.map((each) => then.get(each)!),
      next: last === undefined ? null : tokenOf({ revision, last, question }),
      revision
    } satisfies Page<R>
  })

/** Of these keys the rows as they were at the revision; as they are where there is none. */
export const rowsAt = <R>(listed: Listed<R>, keys: ReadonlyArray<string>, revision: Cursor | null) =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    const { key, label, table } = listed
    const found = yield* once(
      (tx) => tx.select(table, { where: (row) => isIn(row[key], keys as ReadonlyArray<never>) }),
      {
        label
      }
    )
    const now = new Map(found.map((row) => [keyOf(row, key), row]))
    if (revision === null) return now
    const wanted = new Set(keys)
    const then = restored(listed, now, yield* changesSince(revision))
    return new Map([...then].filter(([each]) => wanted.has(each)))
  })

const keyOf = <R>(row: R, key: keyof R & string): string => row[key] as string

const read = <R>({ having, key, label, table, where }: Listed<R>, after: string, limit: number) =>
  Effect.flatMap(Storage, ({ once }) =>
    once(
      (tx) =>
        tx.select(table, {
          where: (row) =>
            and(
              ...Object.entries(where).map(([name, value]) => eq(row[name as keyof R], value as never)),
              ...(having === undefined ? [] : [isNotNull(row[having] as Expression<never>)]),
              ...(after === "" ? [] : [gt(row[key], after as never)])
            ),
          orderBy: [key],
          limit
        }),
      { label }
    )
  )

/** Pure: what the rows were before these changes, oldest first; with those that are gone since. */
export const restored = <R>(
  { having, key, table, where }: Listed<R>,
  now: ReadonlyMap<string, R>,
  changes: ReadonlyArray<Pick<Change, "table" | "before" | "after">>
): ReadonlyMap<string, R> => {
  const then = new Map(now)
  const seen = new Set<string>()
  for (const { after, before, table: changed } of changes) {
    if (changed !== table.name) continue
    const id = (before ?? after)![key] as string
    if (seen.has(id)) continue
    seen.add(id)
    const row = before === null ? undefined : decoded(table, before)
    if (row !== undefined && isAsked(where, having, row)) then.set(id, row)
    else then.delete(id)
  }
  return then
}

const isAsked = <R>(where: Partial<R>, having: (keyof R & string) | undefined, row: R): boolean =>
  Object.entries(where).every(([name, value]) => row[name as keyof R] === value) &&
  (having === undefined || row[having] !== null)

function decoded<R>({ codecs }: Table<R>, row: Readonly<Record<string, unknown>>): R {
  const copy: Record<string, unknown> = { ...row }
  for (const [name, codec] of codecs) if (copy[name] !== null) copy[name] = codec.decode(copy[name])
  return copy as R
}

const changesSince = (revision: Cursor) =>
  Effect.gen(function* () {
    const feed = yield* Feed
    const changes: Array<Change> = []
    let cursor = revision
    for (;;) {
      const batch = yield* followed(feed.poll(cursor))
      changes.push(...batch.changes)
      yield* Mark.hit(undone, batch.changes.length > 0)
      if (batch.isComplete) return changes
      if (changes.length > listChangesMax) {
        return yield* new Compacted({
          detail: `more than ${listChangesMax} changes since this list began: begin again`
        })
      }
      cursor = batch.cursor
    }
  })

const followed = <A>(asked: Effect.Effect<A, FeedError>) => asked.pipe(Effect.catchTag("FeedError", notFollowed))

/** Where the page before ended. */
export const positionOf = (asked: Asked, question: string): Effect.Effect<Position | undefined, BadRequest> => {
  if (asked.after === undefined) return Effect.succeed(undefined)
  const position = Option.flatMap(Result.getSuccess(Base64Url.decodeString(asked.after)), decodePosition)
  if (Option.isNone(position)) return new BadRequest({ detail: "query.after: no token of a page" })
  if (position.value.question !== question) {
    return new BadRequest({ detail: "query.after: of a list that was asked for otherwise" })
  }
  return Effect.succeed(position.value)
}
