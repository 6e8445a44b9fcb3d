/**
 * What is asked again and again reads no table from one end to the other. The plans are the server's own, for these values, on statistics of
 * many rows: small tables it would rightly read whole. They are those of a role for which row security holds, as programs should have.
 * On the same ledger: what a handler that forgets its project would be shown.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as EventsApi from "../../core/api/EventsApi.ts"
import * as paging from "../../core/api/paging.ts"
import { everything } from "../../core/BucketWork.ts"
import * as ControlPlane from "../../core/ControlPlane.ts"
import { events } from "../../core/event/Event.ts"
import * as Fleet from "../../core/fleet/Fleet.ts"
import { instances } from "../../core/instance/Instance.ts"
import { Feed } from "../../core/ports/Feed.ts"
import { makeTransaction, type Statement, Storage } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import * as Quota from "../../core/quota/Quota.ts"
import { forProject, makeStorage } from "../../core/storage/makeStorage.ts"
import { fillLedger, groups, idleRounds } from "../cli/bench/idleTick.ts"
import { bind, makeCodecs } from "./Codecs.ts"
import { database, plainRole, run, skipped } from "./Database.fixture.ts"
import type { Connection } from "./EmbeddedPostgres.ts"
import { migrate } from "./migrate.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { toSql } from "./Sql.ts"

const tables = new Map(
  (ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>).map((table) => [table.name, table])
)

/** Of the ledger; the others have a row for each node, agent or lease. */
const big = ["instances", "fleets", "idempotency_keys", "placements", "events"]

interface Asked {
  readonly label: string
  readonly statement: Statement
}

/** The statements of all rounds of an idle control plane, where nothing is found. */
const askedInRounds = Effect.gen(function* () {
  const asked: Array<Asked> = []
  const storage = makeStorage({
    once: (statement, { label }) => {
      asked.push({ label, statement })
      return Effect.succeed({ rows: [], count: 0 })
    },
    begin: ({ label }) => assert.fail(`${label}: a transaction where nothing was found`)
  })
  yield* Effect.gen(function* () {
    for (const round of Object.values(yield* idleRounds)) yield* round
    yield* everything(groups, () => Effect.void)
  }).pipe(Effect.provideService(Storage, storage))
  return asked
})

/** What handlers ask for one project. */
const askedByHandlers = Effect.gen(function* () {
  const asked: Array<Asked> = []
  const note = (statement: Statement, label: string) => {
    asked.push({ label, statement })
    return Effect.succeed({ rows: [], count: 0 })
  }
  const storage = makeStorage({
    once: (statement, { label }) => note(statement, label),
    begin: ({ label }) => assert.fail(label)
  })
  yield* Effect.gen(function* () {
    for (const where of [{ project: shop }, { project: shop, state: "RUNNING" as const }]) {
      yield* paging.page({ table: instances, key: "uid", label: "instances/list", where }, {})
    }
    yield* paging.page({ table: Fleet.fleets, key: "id", label: "fleets/list", where: { project: shop } }, {})
    yield* paging.rowsAt(
      { table: Fleet.fleetStatuses, key: "id", label: "fleets/statuses", where: {} },
      ["a", "b"],
      null
    )
    yield* storage.once((tx) => tx.get(Fleet.fleets, { id: "fleet-7" }), { label: "fleets/get" })
    yield* storage.once((tx) => tx.get(instances, { uid: "web-7" }), { label: "instances/get" })
    for (const of of [{}, { fleet: "web" }, { instance: "web-7" }]) {
      yield* EventsApi.page(shop, of, { limit: 10 })
      yield* EventsApi.page(shop, of, { limit: 10, after: yield* placeIn(shop, of) })
    }
    yield* Quota.used(
      makeTransaction((statement) => note(statement, "quotas/used")),
      shop
    )
  }).pipe(Effect.provideService(Storage, storage), Effect.provideService(Feed, {} as never))
  return asked
})

const shop = "project-7"

/** The token of a page that ended in the middle of what is asked for. */
const placeIn = (project: string, of: EventsApi.Wanted) =>
  Effect.gen(function* () {
    const row = {
      id: "event-5",
      project,
      fleet: null,
      instance: "i",
      kind: "Vanished",
      detail: "",
      at: Date.now() * 1_000
    }
    const storage = makeStorage({
      once: () => Effect.succeed({ rows: [row, row], count: 2 }),
      begin: ({ label }) => assert.fail(label)
    })
    const { next } = yield* Effect.provideService(EventsApi.page(project, of, { limit: 1 }), Storage, storage)
    return next!
  })

describe.skipIf(skipped())("a ledger of many rows", () => {
  const scope = Scope.makeUnsafe()
  let owner: Connection
  let plain: Connection
  let session: PgConnection.PgConnection

  beforeAll(async () => {
    const made = Effect.gen(function* () {
      owner = yield* database
      yield* migrate({ connection: owner })
      yield* run(owner, ...fillLedger(10_000, 2_000))
      plain = yield* plainRole(owner)
      session = yield* PgConnection.make({ ...plain, types: makeCodecs() })
    })
    await Effect.runPromise(Scope.provide(made, scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  /** Big tables that are read from one end to the other, by label. */
  const scansOf = (asked: ReadonlyArray<Asked>, project?: string) =>
    Effect.gen(function* () {
      const scans: Array<string> = []
      for (const { label, statement } of asked) {
        const { parameters, text } = toSql(
          statement,
          tables,
          [],
          project === undefined ? undefined : { project, isAlone: true }
        )
        const { rows } = yield* session.query(`explain ${text}`, parameters.map(bind), false)
        const plan = rows.map((row) => String(row["QUERY PLAN"])).join("\n")
        const { table } = statement as { readonly table: string }
        assert.strictEqual(plan.includes("stormglass.project"), tables.get(table)!.tenant !== undefined, plan)
        // The newest first, of however many: as the index has them.
        if (label === "events/list") assert.notInclude(plan, "Sort", plan)
        for (const [, scanned] of plan.matchAll(/Seq Scan on (\w+)/g)) {
          if (big.includes(scanned!)) scans.push(`${label}: ${scanned!}`)
        }
      }
      return scans
    })

  // covers A25
  it.live("is not read from one end to the other by what is asked again and again", () =>
    Effect.gen(function* () {
      const asked = yield* askedInRounds
      // Each minute the leader counts every fleet, and asks for all of them.
      assert.deepStrictEqual(yield* scansOf(asked), ["fleet/status/all: fleets"])
      assert.deepStrictEqual([...new Set(asked.map(({ label }) => label))].toSorted(), [
        "events/purge",
        "fleet/status/all",
        "fleet/status/counted",
        "fleet/status/moved",
        "fleet/status/touched",
        "heartbeat/stale",
        "idempotency/purge",
        "reconcile/all/fleets",
        "reconcile/all/instances",
        "reconcile/due/fleets",
        "reconcile/due/instances"
      ])
    })
  )

  it.live("nor by who asks for one project", () =>
    Effect.gen(function* () {
      const asked = yield* askedByHandlers
      assert.lengthOf(asked, 14)
      assert.deepStrictEqual(yield* scansOf(asked, shop), [])
    })
  )

  it.live("shows a handler that forgets its project the rows of that project, where row security holds", () =>
    Effect.gen(function* () {
      const shown = (connection: Connection) =>
        Effect.gen(function* () {
          const storage = forProject(yield* Storage, shop)
          const listed = <R extends { readonly project: string }>(table: Table<R>, key: keyof R & string) =>
            Effect.map(
              paging.page({ table, key, label: "list", where: {} }, { limit: 20_000 }),
              ({ items }) => new Set(items.map(({ project }) => project)).size
            )
          return yield* Effect.gen(function* () {
            return {
              fleets: yield* listed(Fleet.fleets, "id"),
              instances: yield* listed(instances, "uid"),
              events: yield* listed(events, "id"),
              another: (yield* storage.once((tx) => tx.get(Fleet.fleets, { id: "fleet-8" }), { label: "get" }))
                ?.project,
              changed: yield* storage.transaction(
                (tx) =>
                  Effect.map(
                    Fleet.setDesired(tx, { id: "fleet-8" } as never, { desired: 9, isPaused: false }),
                    (rows) => rows.length
                  ),
                { label: "change" }
              )
            }
          }).pipe(Effect.provideService(Storage, storage), Effect.provideService(Feed, {} as never))
        }).pipe(Effect.provide(PostgresStorage.layer({ connection, tables: [...tables.values()] })))
      const guarded = { fleets: 1, instances: 1, events: 1, another: undefined, changed: 0 }
      assert.deepStrictEqual(yield* shown(plain), guarded)
      assert.deepStrictEqual(yield* shown(owner), {
        fleets: 100,
        instances: 100,
        events: 100,
        another: "project-8",
        changed: 1
      })
    })
  )
})
