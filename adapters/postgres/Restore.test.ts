/** A restore drill: what a database gave out after its backup was made is not given out again by what was restored from it. */
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { tables as declared } from "../../core/ControlPlane.ts"
import * as Fleet from "../../core/fleet/Fleet.ts"
import * as ApiKey from "../../core/identity/ApiKey.ts"
import * as Lease from "../../core/lease/Lease.ts"
import * as Member from "../../core/member/Member.ts"
import { type Cursor, Feed } from "../../core/ports/Feed.ts"
import { Storage } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { raisedBy } from "./afterRestore.ts"
import { databaseOn, database, run, skipped } from "./Database.fixture.ts"
import type { Connection } from "./EmbeddedPostgres.ts"
import * as PostgresFeed from "./Feed.ts"
import * as FeedClient from "./FeedClient.ts"
import { migrate } from "./migrate.ts"
import * as PostgresStorage from "./PostgresStorage.ts"

const tables = declared as unknown as ReadonlyArray<Table<unknown>>
const profile = Lease.profileDefault
const keys = ["buckets/0", "buckets/1", "leader"]

/** What one process of `n1` was given: its incarnation, and the epochs of its leases. It hands them over in the end, unless it is killed. */
const life = (connection: Connection, options: { readonly isKilled?: boolean } = {}) =>
  Effect.gen(function* () {
    const { once, transaction } = yield* Storage
    const self = yield* Member.join(once, { id: "n1", address: "http://n1:1", weight: 1, liveMillis: 1_000 })
    assert.isDefined(self, "the name is free")
    const holder = Member.holderOf(self!)
    const kept = yield* Lease.acquire(once, { keys, holder, profile })
    assert.strictEqual(kept.length, keys.length, "the leases are free")
    yield* transaction((tx) => Fleet.create(tx, { project: "p", name: `f${self!.incarnation}`, desired: 1, spec }), {
      label: "create"
    })
    if (options.isKilled !== true) {
      for (const { fence } of kept) yield* Lease.release(once, { fence, holder })
      yield* Member.leave(once, self!)
    }
    return { holder, incarnation: self!.incarnation, fences: kept.map(({ fence }) => fence) }
  }).pipe(Effect.provide(PostgresStorage.layer({ connection, tables })), Effect.scoped)

const spec = { image: "web:1", size: "small" } as const

const epochsOf = ({ fences }: { readonly fences: ReadonlyArray<{ readonly epoch: number }> }) =>
  fences.map(({ epoch }) => epoch)

const following = <A, E>(connection: Connection, ask: (feed: typeof Feed.Service) => Effect.Effect<A, E>) =>
  Effect.flatMap(
    Layer.build(PostgresFeed.layer({ tables }).pipe(Layer.provide(FeedClient.layer({ connection })))),
    (context) => ask(Context.get(context, Feed))
  ).pipe(Effect.scoped)

const generations = (connection: Connection) =>
  Effect.map(run(connection, `select generation, "scaledGeneration" as scaled from fleets`), (rows) =>
    rows.map(({ generation, scaled }) => [Number(generation), Number(scaled)])
  )

const keyIds = ["0".repeat(16), "1".repeat(16)]

const makeKeys = (connection: Connection) =>
  Effect.gen(function* () {
    const { transaction } = yield* Storage
    for (const id of keyIds) {
      const wanted = { id, principal: "p", verbs: ["read"], projects: ["*"], hash: "0".repeat(64) } as const
      yield* transaction((tx) => ApiKey.create(tx, wanted, null), { label: "keys" })
    }
  }).pipe(Effect.provide(PostgresStorage.layer({ connection, tables })), Effect.scoped)

const goodKeys = (connection: Connection) =>
  Effect.gen(function* () {
    const { once } = yield* Storage
    const found = yield* Effect.forEach(keyIds, (id) => ApiKey.look(once, id))
    return found.flatMap((key) => key?.id ?? [])
  }).pipe(Effect.provide(PostgresStorage.layer({ connection, tables })), Effect.scoped)

describe.skipIf(skipped())("a database that is restored", () => {
  it.live(
    "gives nothing a second time: back up, run on, restore, migrate --restored, start",
    () =>
      Effect.gen(function* () {
        const server = yield* database
        const app = yield* databaseOn(server)
        yield* migrate({ connection: app })
        yield* life(app)
        yield* makeKeys(app)

        // A copy of all files of the database, as it is.
        const backup = `${app.database}_backup`
        yield* run(server, `create database ${backup} template ${app.database}`)
        const cursor: Cursor = (yield* following(app, (feed) => feed.list(tables))).cursor
        const after = [yield* life(app), yield* life(app), yield* life(app, { isKilled: true })]
        const given = after.flatMap(epochsOf)
        const [zombie] = after.slice(-1)

        // Without a word it gives what it gave: the same names, and epochs that fence nobody.
        const naive = yield* databaseOn(server)
        yield* run(server, `drop database ${naive.database}`, `create database ${naive.database} template ${backup}`)
        const again = yield* life(naive)
        assert.strictEqual(again.holder, after[0]!.holder)
        assert.deepStrictEqual(epochsOf(again), epochsOf(after[0]!))

        yield* run(
          server,
          `drop database ${app.database} with (force)`,
          `create database ${app.database} template ${backup}`,
          `drop database ${backup}`
        )
        assert.deepStrictEqual(yield* generations(app), [[1, 0]])
        const before = (yield* following(app, (feed) => feed.list(tables))).cursor
        assert.deepStrictEqual(yield* goodKeys(app), keyIds)
        const { from, to } = yield* migrate({ connection: app, isRestored: true, revokedKeys: [keyIds[1]!] })
        assert.deepStrictEqual(yield* goodKeys(app), [keyIds[0]])
        assert.strictEqual(from, to)

        const first = yield* life(app, { isKilled: true })
        assert.isAbove(Math.min(...epochsOf(first)), Math.max(...given))
        assert.isAbove(first.incarnation, Math.max(...after.map(({ incarnation }) => incarnation)))
        assert.notInclude(
          after.map(({ holder }) => holder),
          first.holder
        )
        // A client's `If-Match` of before is of no state that there will be.
        assert.deepInclude(yield* generations(app), [1 + raisedBy, raisedBy])

        // Who runs on from before can neither renew nor write.
        yield* Effect.gen(function* () {
          const { once, transaction } = yield* Storage
          const { fences, holder } = zombie!
          assert.deepStrictEqual(yield* Lease.renew(once, { held: fences, holder, profile }), [])
          const error = yield* Effect.flip(
            transaction((tx) => Fleet.create(tx, { project: "p", name: "late", desired: 1, spec }), {
              label: "late",
              fences
            })
          )
          assert.strictEqual(error.reason._tag, "Fenced")
        }).pipe(Effect.provide(PostgresStorage.layer({ connection: app, tables })), Effect.scoped)

        // Who watched lists again: also who began after the restore, and before it was told of.
        for (const old of [cursor, before]) {
          const refused = yield* Effect.flip(following(app, (feed) => feed.poll(old)))
          assert.strictEqual(refused.reason._tag, "ForeignCursor")
        }
        const { cursor: fresh } = yield* following(app, (feed) => feed.list(tables))
        yield* following(app, (feed) => feed.poll(fresh))

        yield* migrate({ connection: app, isRestored: true, revokedKeys: "all" })
        assert.deepStrictEqual(yield* goodKeys(app), [])
      }).pipe(Effect.scoped),
    60_000
  )
})
