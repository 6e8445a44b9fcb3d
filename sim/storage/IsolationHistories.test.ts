/** What sessions saw of the storage model, concurrently and across faults, judged by the isolation checker. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Isolation from "../../core/history/Isolation.ts"
import type { ListTransaction } from "../../core/history/ListAppend.ts"
import {
  type Workload,
  lists,
  prepare,
  readAll,
  runSession,
  workloads
} from "../../scenarios/ListAppendWorkload.fixture.ts"
import type { Isolation as Level, Storage } from "../../core/ports/Storage.ts"
import { World } from "../run/World.ts"
import { SimDatabase } from "./SimDatabase.ts"
import * as SimStorage from "./SimStorage.ts"

const faults = ["storage/cut-before-commit", "storage/cut-after-commit", "storage/latency", "storage/deadlock"] as const

/** Each session on a node of its own; the last transaction reads everything after all is over. */
const run = (seed: string, workload: Workload, isolation: Level) => {
  const world = new World({ seed })
  const database = new SimDatabase(world, { tables: [lists] })
  world.addNode("database", database.program).start()
  const history: Array<ListTransaction> = []
  const tell = (transaction: ListTransaction): void => void history.push(transaction)
  const add = (name: string, program: Effect.Effect<unknown, unknown, Storage>) =>
    world.addNode(name, Effect.provide(program, SimStorage.layer()), { mustEnd: true }).start()
  add("setup", prepare(workload))
  world.run("1s")
  for (const fault of faults) {
    const covers = (subject: string) => subject.startsWith("n")
    world.hazards.add(fault, { entry: 0, covers, rate: 0.05, struck: undefined, parameters: {} })
  }
  for (const [at, session] of workload.sessions.entries()) add(`n${at}`, runSession(session, isolation, tell))
  world.run("5m")
  add("last", Effect.map(readAll, tell))
  world.run("5s")
  assert.deepStrictEqual(world.unended, [])
  return Isolation.check(history)
}

const levels: ReadonlyArray<readonly [level: Level, permitted: ReadonlyArray<Isolation.AnomalyKind>]> = [
  ["read committed", ["G-single", "G2-item"]],
  ["repeatable read", ["G2-item"]],
  ["serializable", []]
]

describe("histories of the storage model", () => {
  for (const [level, permitted] of levels) {
    it(`at ${level} hold no anomaly that it forbids${permitted.length === 0 ? "" : ", and some that it permits"}`, () => {
      const seen = new Set<Isolation.AnomalyKind>()
      fc.assert(
        fc.property(fc.nat().map(String), workloads({ sessions: 5, transactions: 60 }), (seed, workload) => {
          const report = run(seed, workload, level)
          for (const { kind } of report.anomalies) seen.add(kind)
          assert.deepStrictEqual(Isolation.violations(report, level), [])
          assert.deepStrictEqual(report.undecided, [])
          assert.isAbove(report.transactions, 15, "enough of them committed to tell")
        }),
        { numRuns: 60 }
      )
      assert.includeMembers(Array.from(seen), Array.from(permitted))
    })
  }
})
