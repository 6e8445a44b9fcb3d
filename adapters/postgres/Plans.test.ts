/**
 * What is asked again and again reads no table from one end to the other. The plans are the server's own, for these values, on statistics of
 * many rows: small tables it would rightly read whole.
 */
import { assert, describe, it } from "@effect/vitest"
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import { everything } from "../../core/BucketWork.ts"
import * as ControlPlane from "../../core/ControlPlane.ts"
import { type Statement, Storage } from "../../core/ports/Storage.ts"
import type { Table } from "../../core/ports/Table.ts"
import { makeStorage } from "../../core/storage/makeStorage.ts"
import { fillLedger, groups, idleRounds } from "../cli/bench/idleTick.ts"
import { bind, makeCodecs } from "./Codecs.ts"
import { database, run, skipped } from "./Database.fixture.ts"
import { migrate } from "./migrate.ts"
import { toSql } from "./Sql.ts"

const tables = new Map(
  (ControlPlane.tables as unknown as ReadonlyArray<Table<unknown>>).map((table) => [table.name, table])
)

/** Of the ledger; the others have a row for each node, agent or lease. */
const big = ["instances", "fleets", "idempotency_keys", "placements"]

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

describe.skipIf(skipped())("the plans of what is asked again and again", () => {
  // covers A25
  it.live(
    "read no big table from one end to the other",
    () =>
      Effect.gen(function* () {
        const connection = yield* database
        yield* migrate({ connection })
        yield* run(connection, ...fillLedger(10_000, 2_000))
        const session = yield* PgConnection.make({ ...connection, types: makeCodecs() })
        const scans: Array<string> = []
        const asked = yield* askedInRounds
        for (const { label, statement } of asked) {
          const { parameters, text } = toSql(statement, tables)
          const { rows } = yield* session.query(`explain ${text}`, parameters.map(bind), false)
          for (const row of rows) {
            const [, table] = /Seq Scan on (\w+)/.exec(String(row["QUERY PLAN"])) ?? []
            if (table !== undefined && big.includes(table)) scans.push(`${label}: ${table}`)
          }
        }
        // Each minute the leader counts every fleet, and asks for all of them.
        assert.deepStrictEqual(scans, ["fleet/status/all: fleets"])
        assert.deepStrictEqual([...new Set(asked.map(({ label }) => label))].toSorted(), [
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
      }).pipe(Effect.scoped),
    60_000
  )
})
