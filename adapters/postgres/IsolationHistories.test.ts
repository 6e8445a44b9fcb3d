/** What concurrent sessions saw of real Postgres through the storage port, judged by the isolation checker. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Isolation from "../../core/history/Isolation.ts"
import type { ListTransaction } from "../../core/history/ListAppend.ts"
import type { Isolation as Level } from "../../core/ports/Storage.ts"
import {
  type Workload,
  lists,
  prepare,
  readAll,
  runSession,
  workloads
} from "../../scenarios/ListAppendWorkload.fixture.ts"
import { database, run, skipped } from "./Database.fixture.ts"
import * as PostgresStorage from "./PostgresStorage.ts"
import { createSchema } from "./Schema.ts"

const levels: ReadonlyArray<readonly [level: Level, permitted: ReadonlyArray<Isolation.AnomalyKind>]> = [
  ["read committed", ["G-single", "G2-item"]],
  ["repeatable read", ["G2-item"]],
  ["serializable", []]
]

const histories = Number(process.env["STORMGLASS_HISTORIES"] ?? "10")

/** All sessions at once; then a last transaction that reads every list. */
const judge = (workload: Workload, level: Level) =>
  Effect.gen(function* () {
    const history: Array<ListTransaction> = []
    const tell = (transaction: ListTransaction): void => void history.push(transaction)
    yield* prepare(workload)
    const sessions = workload.sessions.map((session) => runSession(session, level, tell))
    yield* Effect.all(sessions, { concurrency: "unbounded" })
    tell(yield* readAll)
    return Isolation.check(history)
  })

describe.skipIf(skipped())("histories of real Postgres", () => {
  for (const [level, permitted] of levels) {
    it.live(
      `at ${level} hold no anomaly that it forbids${permitted.length === 0 ? "" : ", and some that it permits"}`,
      () =>
        Effect.gen(function* () {
          const connection = yield* database
          yield* run(connection, ...createSchema([lists]))
          const storage = PostgresStorage.layer({ connection, tables: [lists], connectionsMax: 8 })
          const seen = new Set<Isolation.AnomalyKind>()
          const promise = Effect.runPromiseWith(yield* Effect.context<never>())
          const property = fc.asyncProperty(workloads({ sessions: 8, transactions: 160 }), async (workload) => {
            await promise(run(connection, "truncate lists"))
            const report = await promise(Effect.provide(judge(workload, level), storage))
            for (const { kind } of report.anomalies) seen.add(kind)
            assert.deepStrictEqual(Isolation.violations(report, level), [])
            assert.deepStrictEqual(report.undecided, [])
            assert.isAbove(report.transactions, 40, "enough of them committed to tell")
          })
          yield* Effect.promise(() => fc.assert(property, { numRuns: histories, endOnFailure: true }))
          assert.includeMembers(Array.from(seen), Array.from(permitted))
        })
    )
  }
})
