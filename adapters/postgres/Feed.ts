/**
 * The change feed on Postgres.
 *
 * What gives the order: a cursor is a snapshot, and a batch is what the snapshot of now sees and that of the cursor did not.
 * Whoever writes a row waits until all that wrote it before have ended, so a snapshot that sees a transaction also sees those
 * that wrote its rows earlier: no later batch holds an earlier write of a row. Within a batch the position does: it is drawn
 * from a sequence while the row's lock is held.
 *
 * What would not: the sequence alone (41 and 42 commit in the other order, and who has read 42 asks for more than 42); and
 * windows of transaction ids below the oldest one under way (of a younger transaction that wrote a row first and an older one
 * that wrote it afterwards, the older one's window comes first). `Feed.test.ts` shows both.
 *
 * What it costs: for every row written, one more insert with two index entries, in the writer's transaction; a poll reads
 * the changes of all transactions since the oldest that was under way at the cursor. A long-running writer holds nothing
 * back, but makes every poll while it lasts read again, without giving, what was committed since it began, and keeps that from
 * being forgotten. Snapshots are the whole server's: it may write in another database.
 *
 * - P1 A transaction that was aborted leaves nothing. Ids are 64 bits. A primary key that changes is told as a deletion and an
 *   insertion.
 * - P2 A crash of the server loses nothing that was given, provided that `synchronous_commit` is on: without it, what others
 *   see may not be on disk.
 * - P3 After a failover to another timeline, and on another server, a cursor is refused as `ForeignCursor`. A replica
 *   refuses to serve: its snapshots do not say which transactions are under way.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as RcRef from "effect/RcRef"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { assert } from "../../core/assert.ts"
import { forget } from "../../core/feed/forget.ts"
import { feedChangesMax, feedPollMillis, feedRetentionMillis } from "../../core/Limits.ts"
import {
  type Batch,
  type Change,
  Compacted,
  Feed,
  FeedError,
  ForeignCursor,
  type Hints,
  type Listing
} from "../../core/ports/Feed.ts"
import { type Fence, Unavailable } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import type { Topic } from "../../core/ports/Topic.ts"
import { rowKeyOf } from "../../core/ports/rowKeyOf.ts"
import { describe, failureOf } from "./Errors.ts"
import { type FeedCursor, type Snapshot, cut, decode, encode, ofSnapshot, toSnapshot } from "./FeedCursor.ts"
import { changesTable, floorTable } from "./FeedSchema.ts"
import { channel, topicsIn } from "./hintPayload.ts"
import { literal, name } from "./Sql.ts"

/** How long an answer is waited for, unless configured otherwise. */
export const feedAnswerMillis = 10_000

export interface FeedOptions {
  /** Whose changes are understood: those of other tables are passed over. */
  readonly tables: ReadonlyArray<Table<unknown>>
  /** A question without an answer by then is given up, and its connection with it. Default 10 s. */
  readonly answerTimeoutMillis?: number
  /** For how long a change is kept at least; the same on all nodes, or the least holds. Default 1 h. */
  readonly keptMillis?: number
}

/** The port; as long as it lives, it forgets what was kept for long enough. Dies when nothing is to be kept. */
export const layer = (options: FeedOptions): Layer.Layer<Feed, never, PgClient.PgClient> =>
  Layer.effect(
    Feed,
    Effect.gen(function* () {
      const { keptMillis = feedRetentionMillis } = options
      assert(
        keptMillis > feedPollMillis,
        `changes are kept for ${keptMillis} ms: who follows would lose them between polls`
      )
      const run = Effect.runForkWith(yield* Effect.context<never>())
      const client = yield* PgClient.PgClient
      const feed = make(client, run, yield* listeningOn(client), options)
      yield* Effect.forkScoped(Effect.provideService(forget(keptMillis), Feed, feed))
      return feed
    })
  )

const make = (
  client: PgClient.PgClient,
  run: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>,
  hintsOf: (topic?: Topic) => Hints,
  { answerTimeoutMillis = feedAnswerMillis, tables }: FeedOptions
): typeof Feed.Service => {
  const known = new Map(tables.map((table) => [table.name, readerOf(table)]))
  const ask = <Row extends object>(
    text: string,
    parameters: ReadonlyArray<unknown>
  ): Effect.Effect<ReadonlyArray<Row>, FeedError> =>
    // In a fiber of its own: the driver asks a server to cancel, and waits for its word, also where none answers.
    Effect.callback<ReadonlyArray<Row>, SqlError>((resume) => {
      const fiber = run(client.unsafe<Row>(text, parameters))
      fiber.addObserver(resume)
      return Effect.sync(() => fiber.interruptUnsafe())
    }).pipe(
      Effect.catchTag("SqlError", failed),
      // Whoever follows waits for nothing else: a server that falls silent, or a lock, must not hold it for ever.
      Effect.timeoutOrElse({
        duration: answerTimeoutMillis,
        orElse: () => Effect.fail(new FeedError({ reason: new Unavailable({ detail: "no answer in time" }) }))
      })
    )

  const list = (asked: ReadonlyArray<Table<unknown>>): Effect.Effect<Listing, FeedError> =>
    Effect.gen(function* () {
      const readers = new Map(asked.map((table) => [table.name, readerOf(table)]))
      const found = yield* ask<Listed>(listing(asked), [])
      const isHead = ({ table }: Listed) => table === null
      const { history, seen } = yield* headOf(found.find(isHead)!.row as unknown as Head)
      const rows = found
        .filter((one) => !isHead(one))
        .map(({ row, table }) => ({ table: table!, row: readers.get(table!)!.read(row) }))
      return { rows, cursor: encode({ history, seen, upTo: undefined }) }
    })

  const poll = (text: string, options: { readonly changesMax?: number } = {}): Effect.Effect<Batch, FeedError> =>
    Effect.gen(function* () {
      const cursor = decode(text)
      if (cursor === undefined) return yield* refuse("it was not given by this feed")
      const { seen, upTo } = cursor
      const changesMax = options.changesMax ?? feedChangesMax
      const found = yield* upTo === undefined
        ? ask<Placed>(pollingFresh, [ofSnapshot(seen), changesMax, String(seen.xmin)])
        : ask<Placed>(pollingOn, [ofSnapshot(seen), changesMax, String(upTo.position), ofSnapshot(upTo.snapshot)])
      const [first, ...recorded] = found.toSorted((a, b) => a.position - b.position)
      const head = yield* headOf(first!.before as unknown as Head, cursor)
      const changes: Array<Change> = []
      for (const entry of recorded) for (const change of changesOf(entry, known.get(entry.table))) changes.push(change)
      const snapshot = upTo?.snapshot ?? head.seen
      const isComplete = recorded.length < changesMax
      const next: FeedCursor = isComplete
        ? { history: head.history, seen: snapshot, upTo: undefined }
        : { history: head.history, seen, upTo: { snapshot, position: BigInt(recorded.at(-1)!.position) } }
      return { changes, cursor: encode(next), isComplete }
    })

  const compact = ({ olderThanMillis }: { readonly olderThanMillis: number }): Effect.Effect<number, FeedError> =>
    Effect.map(ask<{ readonly forgotten: string }>(compacting, [olderThanMillis, compactedMax]), ([answer]) =>
      Number(answer!.forgotten)
    )

  return { list, poll, compact, hints: hintsOf(), hintsOf }
}

/** What hints are heard by: one session for all who follow, as long as anybody does. */
const listeningOn = (client: PgClient.PgClient): Effect.Effect<(topic?: Topic) => Hints, never, Scope.Scope> =>
  Effect.suspend(() => {
    const followers = new Map<Queue.Queue<void>, Topic | undefined>()
    const state = { isListening: false }
    const tell = (payload: string) =>
      Effect.sync(() => {
        const about = topicsIn(payload)
        for (const [queue, topic] of followers) {
          if (topic === undefined || about.has(topic)) Queue.offerUnsafe(queue, undefined)
        }
      })
    const listen = Effect.gen(function* () {
      const notifications = yield* client.listen(channel)
      yield* Effect.acquireRelease(
        Effect.sync(() => (state.isListening = true)),
        () => Effect.sync(() => (state.isListening = false))
      )
      // Whatever was said before this session listened is lost.
      yield* tell("")
      return yield* Effect.forever(Effect.flatMap(Queue.take(notifications), ({ payload }) => tell(payload ?? "")))
    })
    const acquire = listen.pipe(Effect.scoped, Effect.retry(listenAgain), Effect.forkScoped)
    return Effect.map(
      RcRef.make({ acquire }),
      (listening) => (topic?: Topic) =>
        Effect.gen(function* () {
          const queue = yield* Queue.sliding<void>(1)
          yield* Effect.acquireRelease(
            Effect.sync(() => followers.set(queue, topic)),
            () => Effect.sync(() => followers.delete(queue))
          )
          if (state.isListening) yield* Queue.offer(queue, undefined)
          yield* RcRef.get(listening)
          return queue as Queue.Dequeue<void>
        })
    )
  })

const listenAgain = Schedule.spaced("500 millis")

/** How many changes one statement looks at to forget them. */
const compactedMax = 10_000

/** What is true of the whole answer: a row of its own among the others. */
interface Head {
  readonly snapshot: string
  /** Null on a replica. */
  readonly history: string | null
  /** The transactions up to this one were forgotten. */
  readonly floor: string
  /** The newest that wrote a change; null when all were forgotten. */
  readonly newest: string | null
}

interface Listed {
  /** Null where the row is the head. */
  readonly table: string | null
  readonly row: StoredRow
}

/** What the feed's table says of one row that was written. */
export interface Recorded {
  readonly xid: string
  readonly atMicros: number
  readonly table: string
  readonly before: StoredRow | null
  readonly after: StoredRow | null
  readonly label: string | null
  readonly fences: string | null
}

/** The head is before all others, at 0, and stands in `before`. */
interface Placed extends Recorded {
  readonly position: number
}

/** In the statement's own snapshot, as is everything that is selected beside it. */
const head = `select
    pg_current_snapshot()::text as snapshot,
    case when not pg_is_in_recovery() then
      (select system_identifier::text from pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' ||
      (select oid::text from pg_database where datname = current_database()) ||
      coalesce('/' || (select restored from ${floorTable}), '')
    end as history,
    (select xid::text from ${floorTable}) as floor,
    (select c.xid::text from ${changesTable} c order by c.xid desc limit 1) as newest`

/**
 * Nothing waits here for the whole answer, so its rows are put in order by who asked. Positions and times are sent as
 * doubles, which are exact, times once rounded, and read fastest. Snapshots are parsed once, not once a row.
 */
const polling = (above: string): string => `select 0::float8 as position, null as xid, null::float8 as "atMicros",
    null as "table", row_to_json(head) as before, null::json as after, null as label, null as fences
  from (${head}) head
  union all select * from (
    select position::float8, xid::text, date_part('epoch', at) * 1000000, "table", before, after, label, fences
    from ${changesTable}
    where not pg_visible_in_snapshot(xid, (select $1::text::pg_snapshot)) and ${above}
    limit $2::integer
  ) c`

/** The sum keeps the planner from walking everything that is kept in the order of positions, to find the few new ones. */
const pollingFresh = polling(`xid >= $3::text::xid8 order by ${changesTable}.position + 0`)

/** By position, so that a long backlog is not sorted again for each piece of it. */
const pollingOn = polling(
  `position > $3::text::bigint and pg_visible_in_snapshot(xid, (select $4::text::pg_snapshot))
    order by ${changesTable}.position`
)

/** Up to the first transaction that wrote something younger: an older one may have written later. */
const compacting = `with oldest as (select xid, at from ${changesTable} order by xid limit $2::integer),
  young as (
    select min(xid::text::numeric)::text::xid8 as xid from oldest
    where at >= clock_timestamp() - $1::double precision * interval '1 millisecond'
  ),
  bound as (
    select max(oldest.xid::text::numeric)::text::xid8 as xid from oldest, young
    where oldest.xid < coalesce(young.xid, pg_snapshot_xmin(pg_current_snapshot()))
      and oldest.xid < pg_snapshot_xmin(pg_current_snapshot())
  ),
  forgotten as (delete from ${changesTable} using bound where ${changesTable}.xid <= bound.xid returning 1),
  raised as (update ${floorTable} set xid = bound.xid from bound where ${floorTable}.xid < bound.xid)
  select count(*)::text as forgotten from forgotten`

function listing(tables: ReadonlyArray<Table<unknown>>): string {
  const rows = tables.map(
    (table) => `union all select ${literal("text", table.name)}, row_to_json(t) from ${name(table.name)} t`
  )
  return `select null as "table", row_to_json(head) as row from (${head}) head ${rows.join(" ")}`
}

/** The moment of an answer as a cursor's, after looking whether the cursor before may go on here. */
function headOf(
  found: Head,
  before?: FeedCursor
): Effect.Effect<{ readonly history: string; readonly seen: Snapshot }, FeedError> {
  const { history, newest } = found
  if (history === null) {
    return Effect.fail(new FeedError({ reason: new Unavailable({ detail: "a replica cannot serve the change feed" }) }))
  }
  const now = toSnapshot(found.snapshot)
  const floor = BigInt(found.floor)
  if (before !== undefined) {
    if (before.history !== history) return refuse(`it is of ${before.history}, this is ${history}`)
    if (before.seen.xmax > now.xmax) return refuse("it has seen transactions that this database has lost")
    if (before.seen.xmin <= floor) return Effect.fail(new FeedError({ reason: new Compacted() }))
  }
  const ends = [BigInt(newest ?? 0) + 1n, floor + 1n, before?.seen.xmax ?? 0n]
  return Effect.succeed({
    history,
    seen: cut(
      now,
      ends.reduce((a, b) => (a > b ? a : b))
    )
  })
}

function refuse(detail: string): Effect.Effect<never, FeedError> {
  return Effect.fail(new FeedError({ reason: new ForeignCursor({ detail }) }))
}

/** One row written as the port's changes: two where the primary key changes. */
export function changesOf(entry: Recorded, reader: Reader | undefined): ReadonlyArray<Change> {
  if (reader === undefined) return []
  const { fences, label, table } = entry
  const before = entry.before === null ? null : reader.read(entry.before)
  const after = entry.after === null ? null : reader.read(entry.after)
  const [keyBefore, keyAfter] = [before && reader.keyOf(before), after && reader.keyOf(after)]
  const change: Change = {
    table,
    key: (keyAfter ?? keyBefore)!,
    before,
    after,
    transactionId: Number(entry.xid),
    atMicros: Math.round(entry.atMicros),
    label: label ?? "",
    fences: fences === null ? [] : (JSON.parse(fences) as ReadonlyArray<Fence>)
  }
  if (keyBefore === null || keyAfter === null || keyBefore === keyAfter) return [change]
  return [
    { ...change, key: keyBefore, after: null },
    { ...change, before: null }
  ]
}

type StoredRow = Readonly<Record<string, unknown>>

/** How the rows of a table are read from what the trigger wrote. */
export interface Reader {
  /** The columns that this version knows, as the port stores them: times as integers of microseconds. */
  readonly read: (row: StoredRow) => StoredRow
  readonly keyOf: (row: StoredRow) => string
}

export function readerOf({ columns, primaryKey }: Table<unknown>): Reader {
  const kinds = columns as Readonly<Record<string, { readonly kind: string }>>
  const all = Object.keys(kinds)
  const times = all.filter((column) => kinds[column]!.kind === "timestamp")
  return {
    read: (row) => {
      const read: Record<string, unknown> = {}
      for (const column of all) read[column] = row[column] ?? null
      for (const column of times) if (read[column] !== null) read[column] = microsOf(read[column] as string)
      return read
    },
    keyOf: (row) => rowKeyOf(primaryKey, row)
  }
}

/** `2026-11-21T10:00:00.000001+00:00` as microseconds since 1970; a date knows its milliseconds. */
export function microsOf(iso: string): number {
  const zoneAt = iso.length - 6
  // Our own sessions write in UTC; whoever comes by hand may not.
  const seconds = iso.endsWith("+00:00")
    ? Date.UTC(digits(iso, 0, 4), digits(iso, 5, 7) - 1, digits(iso, 8, 10), digits(iso, 11, 13), digits(iso, 14, 16)) +
      digits(iso, 17, 19) * 1_000
    : Date.parse(`${iso.slice(0, 19)}${iso.slice(zoneAt)}`)
  const fraction = zoneAt > 20 ? digits(iso, 20, zoneAt) * 10 ** (26 - zoneAt) : 0
  return seconds * 1_000 + fraction
}

function digits(text: string, from: number, to: number): number {
  let number = 0
  for (let at = from; at < to; at++) number = number * 10 + text.charCodeAt(at) - 48
  return number
}

/** What is known to pass may be asked again; whatever else would fail again and again, and is a defect. */
function failed(error: SqlError): Effect.Effect<never, FeedError> {
  const failure = failureOf(error, "change feed")
  if (failure._tag === "Defect") return Effect.die(failure.defect)
  const { reason } = failure
  switch (reason._tag) {
    case "Timeout":
    case "Unavailable":
      return Effect.fail(new FeedError({ reason }))
    case "Deadlock":
    case "SerializationFailure":
      return Effect.fail(new FeedError({ reason: new Unavailable({ detail: describe(error) }) }))
    default:
      return Effect.die(new Error(`change feed: ${describe(error)}`, { cause: error }))
  }
}
