/**
 * The change feed on real Postgres: how many changes a second it gives, against the same statement written by hand and sent
 * through the same driver; and how soon a reader has what a writer has committed.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
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
const turns = 6
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
  const client = PgClient.layer({ ...connection, maxConnections: 4 })
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
  const byHand = async (snapshot: string): Promise<number> => {
    const began = performance.now()
    let count = 0
    let after: unknown = 0
    while (true) {
      const found = await ask(pollByHand, [snapshot.split(":")[0], snapshot, after, batch])
      count += found.length
      after = found.at(-1)?.["position"]
      if (found.length < batch) break
    }
    return check(count, began)
  }
  const check = (count: number, began: number): number => {
    if (count !== rows * transactions) throw new Error(`${count} changes in place of ${rows * transactions}`)
    return performance.now() - began
  }

  return async () => {
    let [millis, baselineMillis] = [0, 0]
    for (let turn = -1; turn < turns; turn++) {
      const { cursor } = await run(feed.list([]))
      const [now] = await ask("select pg_current_snapshot()::text as snapshot")
      for (let nth = 0; nth < transactions; nth++)
        await ask(`update counters set value = value + 1, "updatedAt" = now()`)
      await ask(`analyze ${changesTable}`)
      const sides = [() => throughPort(cursor), () => byHand(now!["snapshot"] as string)]
      const [first, second] = turn % 2 === 0 ? sides : sides.toReversed()
      const took = [await first!(), await second!()]
      // The first turn warms both up.
      if (turn === -1) continue
      const [port, hand] = turn % 2 === 0 ? took : took.toReversed()
      millis += port!
      baselineMillis += hand!
    }
    await end()
    return { count: turns * rows * transactions, virtualSeconds: 0, millis, baselineMillis }
  }
}

const pollByHand = `select position, xid::text, at, "table", before, after from ${changesTable}
  where xid >= $1::text::xid8 and not pg_visible_in_snapshot(xid, $2::text::pg_snapshot) and position > $3::bigint
  order by position limit $4::integer`

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
