/**
 * The change feed on real Postgres: how many changes a second it gives, against the same statements written by hand and
 * sent through the same driver; and how soon a reader has what a writer has committed.
 */
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { follow } from "../../../core/feed/follow.ts"
import { add, eq } from "../../../core/ports/Condition.ts"
import { Feed } from "../../../core/ports/Feed.ts"
import { Storage } from "../../../core/ports/Storage.ts"
import { integer, make, text, timestamp } from "../../../core/ports/Table.ts"
import * as EmbeddedPostgres from "../../postgres/EmbeddedPostgres.ts"
import * as FeedClient from "../../postgres/FeedClient.ts"
import * as PostgresFeed from "../../postgres/Feed.ts"
import * as FeedHints from "../../postgres/FeedHints.ts"
import { changesTable, createFeed, recordChangesOf } from "../../postgres/FeedSchema.ts"
import * as PostgresStorage from "../../postgres/PostgresStorage.ts"
import { createSchema } from "../../postgres/Schema.ts"
import type { Work } from "./figures.ts"

const counters = make("counters", {
  columns: { id: text, value: integer, updatedAt: timestamp },
  primaryKey: ["id"]
})
const tables = [counters]

const rows = 100
const transactions = 200
const turns = 10
const warmUps = 2
const batch = 1_000

/** Everything that a bench needs of one server; `end` removes it. */
const stage = async () => {
  const scope = Scope.makeUnsafe()
  const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.runPromise(Scope.provide(effect, scope))
  const { connection } = await run(EmbeddedPostgres.make())
  const pool = await run(PgPool.make({ ...connection, maxConnections: 4 }))
  const ask = (statement: string, parameters: ReadonlyArray<unknown> = []) =>
    run(pool.use((session) => Effect.map(session.query(statement, parameters), (result) => result.rows)))
  for (const statement of [...createSchema(tables), ...createFeed, ...tables.flatMap(recordChangesOf)]) {
    await ask(statement)
  }
  await ask(`insert into counters select 'row-' || n, 0, now() from generate_series(0, ${rows - 1}) as n`)
  const client = FeedClient.layer({ connection })
  const storage = FeedHints.layer.pipe(Layer.provide(PostgresStorage.layer({ connection, tables })))
  const layers = Layer.merge(PostgresFeed.layer({ tables }), storage).pipe(Layer.provide(client))
  const context = await run(Layer.build(layers))
  return { run, ask, context, end: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}

/** The changes of one turn, read by both sides, each before the other as often. */
export const prepareThroughput = async (): Promise<() => Promise<Work>> => {
  const { ask, context, end, run } = await stage()
  const feed = Context.get(context, Feed)

  const throughPort = async (from: string): Promise<number> => {
    const began = performance.now()
    let cursor = from
    let count = 0
    while (true) {
      const found = await run(feed.poll(cursor, { changesMax: batch }))
      cursor = found.cursor
      count += found.changes.length
      if (found.isComplete) break
    }
    return check(count, began)
  }
  const byHand = async (seen: string): Promise<number> => {
    const began = performance.now()
    const first = (await ask(newByHand, [seen, batch, seen.split(":")[0]])) as unknown as ReadonlyArray<ByHand>
    const now = first[0]!.snapshot
    let found = first.slice(1)
    let count = found.map(readByHand).length
    while (found.length === batch) {
      found = (await ask(onByHand, [seen, batch, found.at(-1)!.position, now])) as unknown as Array<ByHand>
      count += found.map(readByHand).length
    }
    return check(count, began)
  }
  const check = (count: number, began: number): number => {
    if (count !== rows * transactions) throw new Error(`${count} changes in place of ${rows * transactions}`)
    return performance.now() - began
  }

  return async () => {
    let [millis, baselineMillis] = [0, 0]
    for (let turn = -warmUps; turn < turns; turn++) {
      const { cursor } = await run(feed.list([]))
      const [now] = await ask("select pg_current_snapshot()::text as snapshot")
      for (let nth = 0; nth < transactions; nth++)
        await ask(`update counters set value = value + 1, "updatedAt" = now()`)
      await ask(`analyze ${changesTable}`)
      const sides = [() => throughPort(cursor), () => byHand(now!["snapshot"] as string)]
      const [first, second] = turn % 2 === 0 ? sides : sides.toReversed()
      const took = [await first!(), await second!()]
      if (turn < 0) continue
      const [port, hand] = turn % 2 === 0 ? took : took.toReversed()
      millis += port!
      baselineMillis += hand!
    }
    await end()
    return { count: turns * rows * transactions, virtualSeconds: 0, millis, baselineMillis }
  }
}

interface CounterByHand {
  readonly id: string
  readonly value: number
  updatedAt: string | number
}

interface ByHand {
  readonly snapshot?: string
  readonly position: bigint
  readonly at: number
  readonly before: CounterByHand | null
  readonly after: CounterByHand | null
}

/** Rows with their key and their times as numbers, of this one table: in place, no matter what other tables there are. */
const readByHand = (change: ByHand) => {
  const { after, before } = change
  if (before !== null) before.updatedAt = PostgresFeed.microsOf(before.updatedAt as string)
  if (after !== null) after.updatedAt = PostgresFeed.microsOf(after.updatedAt as string)
  return { ...change, key: (after ?? before)!.id, at: Math.round(change.at) }
}

/**
 * What a follower cannot do without: every column, what is new to a snapshot, the snapshot to go on from in the same
 * statement, and a backlog in pieces. No look at what was forgotten or at which server this is, and no limit in time.
 */
const newByHand = `select pg_current_snapshot()::text as snapshot, null::bigint as position, null as xid, null::float8 as at,
    null as "table", null::json as before, null::json as after, null as label, null as fences
  union all select null, * from (
    select position, xid::text, date_part('epoch', at) * 1000000, "table", before, after, label, fences
    from ${changesTable}
    where xid >= $3::text::xid8 and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
    order by position + 0 limit $2::integer
  ) c`

const onByHand = `select position, xid::text, date_part('epoch', at) * 1000000 as at, "table", before, after, label, fences
  from ${changesTable}
  where position > $3::bigint and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
    and pg_visible_in_snapshot(xid, $4::text::pg_snapshot)
  order by position limit $2::integer`

const writes = 1_000
const pauseMillis = 2

/** One writer at a few hundred commits a second, and a follower who is told by hints. */
export const prepareLatency = async (): Promise<() => Promise<Work>> => {
  const { context, end, run } = await stage()
  return async () => {
    const sentAt: Array<number> = []
    const took: Array<number> = []
    const following = follow({
      tables,
      onListing: () => Effect.void,
      onBatch: ({ changes }) =>
        Effect.sync(() => {
          for (const { after } of changes) took.push(performance.now() - sentAt[after!["value"] as number]!)
        })
    })
    await run(Effect.forkScoped(Effect.provide(following, context)))
    const { once } = Context.get(context, Storage)
    await run(Effect.sleep("300 millis"))
    const write = Effect.suspend(() => {
      sentAt[sentAt.length === 0 ? 1 : sentAt.length] = performance.now()
      return once(
        (t) =>
          t.update(counters, { where: (row) => eq(row.id, "row-0"), set: (row) => ({ value: add(row.value, 1) }) }),
        { label: "bench/feed" }
      )
    })
    for (let nth = 0; nth < writes; nth++) await run(Effect.andThen(write, Effect.sleep(pauseMillis)))
    while (took.length < writes) await run(Effect.sleep("5 millis"))
    await end()
    const sorted = took.toSorted((a, b) => a - b)
    return {
      count: writes,
      virtualSeconds: 0,
      // From the writer's call to the follower's.
      latency: {
        medianMillis: sorted[Math.floor(writes / 2)]!,
        slowestOfHundredMillis: sorted[Math.floor(writes * 0.99)]!
      }
    }
  }
}
