/**
 * The storage port on real Postgres against the same statements written by hand and sent through the same driver: on one
 * server, in one process, in turns, so that whatever slows the machine slows both. By hand is what the server is asked to do
 * by the port (the fence, what the feed is told of it, the label), as constants with a parameter for whatever varies, and its answers
 * are read into the same values.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { idleInTransactionTimeoutMillis, lockTimeoutMillis, statementTimeoutMillis } from "../../../core/Limits.ts"
import { add, and, eq, ge, now } from "../../../core/ports/Condition.ts"
import { Storage, type StorageError, leases } from "../../../core/ports/Storage.ts"
import { type Table, integer, make, text, timestamp } from "../../../core/ports/Table.ts"
import * as IdempotencyKey from "../../../core/idempotency/IdempotencyKey.ts"
import { makeCodecs } from "../../postgres/Codecs.ts"
import * as EmbeddedPostgres from "../../postgres/EmbeddedPostgres.ts"
import * as PostgresStorage from "../../postgres/PostgresStorage.ts"
import { createSchema } from "../../postgres/Schema.ts"
import type { Work } from "./figures.ts"

const counters = make("counters", {
  columns: { id: text, value: integer, updatedAt: timestamp },
  primaryKey: ["id"]
})

const tables = [counters, leases, IdempotencyKey.idempotencyKeys] as unknown as ReadonlyArray<Table<unknown>>

const fibers = 16
const connectionsMax = 10
const rows = 64
const batch = 1_600
const turns = 6

/** The same operation twice, by the number of its turn: each touches the row of that number. */
interface Contest {
  readonly port: (nth: number) => Effect.Effect<unknown, StorageError, Storage>
  readonly byHand: (nth: number, pool: PgPool.PgPool) => Effect.Effect<unknown, SqlError>
}

/** Nobody who writes by hand goes without them: the server bounds what either side's session may take. */
const deadlines = {
  statement_timeout: String(statementTimeoutMillis),
  lock_timeout: String(lockTimeoutMillis),
  idle_in_transaction_session_timeout: String(idleInTransactionTimeoutMillis)
}

const rowOf = (nth: number) => `row-${nth % rows}`

const fencedUpdate: Contest = {
  port: (nth) =>
    Effect.flatMap(Storage, ({ once }) =>
      once(
        (t) =>
          t.update(counters, {
            where: (row) => and(eq(row.id, rowOf(nth)), ge(row.value, 0)),
            set: (row) => ({ value: add(row.value, 1), updatedAt: now })
          }),
        { label: "bench/update", fences: [{ lease: rowOf(nth), epoch: 1 }] }
      )
    ),
  byHand: (nth, pool) => {
    const fence = { lease: rowOf(nth), epoch: 1 }
    return pool.use((session) =>
      session.query(fencedUpdateByHand, [rowOf(nth), fence.lease, fence.epoch, JSON.stringify([fence])])
    )
  }
}

const fencedUpdateByHand = `/* bench/update */ with answer as (
    update counters set value = value + 1, "updatedAt" = now() where id = $1 and value >= 0
    returning id, value, "updatedAt"
  )
  select * from answer where (select coalesce(
    (select case when epoch = $3 then true else stormglass_fenced($2, $3, epoch) end
     from (select epoch from leases where key = $2 for key share) as lease),
    stormglass_fenced($2, $3, null)))
  and (select set_config('stormglass.fences', $4, true) is not null)`

/** What an idempotent request costs: its claim, then the effect and the answer in one transaction. */
const claimAndFinish: Contest = {
  port: (nth) =>
    Effect.gen(function* () {
      const { once, transaction } = yield* Storage
      const request = { scope: "port", key: `${nth}`, fingerprint: "f", holder: "h", keptMillis: 86_400_000 }
      const claimed = yield* IdempotencyKey.claim(once, request)
      yield* transaction(
        (t) =>
          Effect.andThen(
            t.update(counters, {
              where: (row) => eq(row.id, rowOf(nth)),
              set: (row) => ({ value: add(row.value, 1), updatedAt: now })
            }),
            IdempotencyKey.finish(t, claimed!, { status: 200, body: "done" })
          ),
        { label: "bench/finish" }
      )
    }),
  byHand: (nth, pool) =>
    pool.use((session) =>
      Effect.gen(function* () {
        yield* session.query(claimByHand, ["hand", `${nth}`, "f", "h", 86_400])
        yield* session.query("/* bench/finish */ begin isolation level read committed")
        yield* session.query(countByHand, [rowOf(nth)])
        yield* session.query(finishByHand, ["hand", `${nth}`, 1, 200, "done"])
        yield* session.query("/* bench/finish */ commit")
      })
    )
}

const claimByHand = `/* idempotency/claim */ insert into idempotency_keys (scope, key, fingerprint, state, holder, epoch, "claimedAt",
    "claimExpiresAt", status, body, "createdAt", "expiresAt")
  values ($1, $2, $3, 'executing', $4, 1, clock_timestamp(), clock_timestamp() + interval '5 s', null, null,
    clock_timestamp(), clock_timestamp() + $5 * interval '1 second')
  on conflict (scope, key) do update set fingerprint = $3, holder = $4, "claimedAt" = clock_timestamp(),
    "claimExpiresAt" = clock_timestamp() + interval '5 s', state = 'executing', status = null, body = null,
    "createdAt" = clock_timestamp(), "expiresAt" = clock_timestamp() + $5 * interval '1 second',
    epoch = idempotency_keys.epoch + 1
  where (idempotency_keys.state = 'executing' and idempotency_keys."claimExpiresAt" <= clock_timestamp()
      and idempotency_keys.fingerprint = $3)
    or (idempotency_keys."expiresAt" <= clock_timestamp() and idempotency_keys."claimExpiresAt" <= clock_timestamp())
  returning scope, key, fingerprint, state, holder, epoch, "claimedAt", "claimExpiresAt", status, body, "createdAt",
    "expiresAt"`

const countByHand = `/* bench/finish */ update counters set value = value + 1, "updatedAt" = now() where id = $1
  returning id, value, "updatedAt"`

const finishByHand = `/* bench/finish */ update idempotency_keys set state = 'finished', status = $4, body = $5
  where scope = $1 and key = $2 and state = 'executing' and epoch = $3
  returning scope, key, fingerprint, state, holder, epoch, "claimedAt", "claimExpiresAt", status, body, "createdAt",
    "expiresAt"`

export const contests = { fencedUpdate, claimAndFinish } as const

/** Starts a server and warms both sides up; the work is the contest, after which the server is gone. */
export const prepare = async (contest: Contest): Promise<() => Promise<Work>> => {
  const scope = Scope.makeUnsafe()
  const server = await Effect.runPromise(Scope.provide(EmbeddedPostgres.make(), scope))
  const { connection } = server
  const pool = await Effect.runPromise(
    Scope.provide(
      PgPool.make({
        ...connection,
        types: makeCodecs(),
        maxConnections: connectionsMax,
        startupParameters: deadlines
      }),
      scope
    )
  )
  await Effect.runPromise(pool.use(setUp))
  const context = await Effect.runPromise(
    Scope.provide(Layer.build(PostgresStorage.layer({ connection, tables, connectionsMax })), scope)
  )
  let nth = 0
  const timed = async (operation: (nth: number) => Effect.Effect<unknown, unknown>): Promise<number> => {
    const numbers = Array.from({ length: batch }, () => nth++)
    const from = performance.now()
    await Effect.runPromise(Effect.forEach(numbers, operation, { concurrency: fibers, discard: true }))
    return performance.now() - from
  }
  const port = () => timed((nth) => Effect.provide(contest.port(nth), context))
  const byHand = () => timed((nth) => contest.byHand(nth, pool))
  await byHand()
  await port()
  return async () => {
    let millis = 0
    let baselineMillis = 0
    for (let turn = 0; turn < turns; turn++) {
      // Neither always comes after the other.
      if (turn % 2 === 0) baselineMillis += await byHand()
      millis += await port()
      if (turn % 2 === 1) baselineMillis += await byHand()
    }
    await Effect.runPromise(Scope.close(scope, Exit.void))
    return { count: turns * batch, virtualSeconds: 0, millis, baselineMillis }
  }
}

const setUp = (session: PgConnection.PgConnection) =>
  Effect.gen(function* () {
    for (const statement of createSchema(tables)) yield* session.query(statement, [], false)
    const each = `from generate_series(0, ${rows - 1}) as n`
    yield* session.query(`insert into counters select 'row-' || n, 0, now() ${each}`)
    yield* session.query(`insert into leases select 'row-' || n, 'h', 1, now(), now(), now(), null ${each}`)
  })
