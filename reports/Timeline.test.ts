import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "../core/facts/Envelope.ts"
import * as Timeline from "./Timeline.ts"

const line = (node: string, fact: Envelope["fact"] & Readonly<Record<string, unknown>>) =>
  Timeline.line({ id: 1, atMicros: 12_504_250, node, incarnation: 1, cause: 0, fact })

describe("the timeline", () => {
  it("has fixed columns: time, node, what happened", () => {
    const changes = [{ table: "leases", key: "leader", before: null, after: {} }]
    const fences = [{ lease: "leader", epoch: 3 }]
    assert.deepStrictEqual(
      [
        line("database", { _tag: "Committed", label: "lease/acquire", transactionId: 1, fences, changes }),
        line("n2", { _tag: "NodeCrashed", reason: "killed" }),
        line("", { _tag: "FaultActed", name: "cut", fault: "network/partition", targets: ["n1"], others: [] }),
        line("n1", { _tag: "Sent", to: "database", http: "GET /x" }),
        line("n1", {
          _tag: "Logged",
          level: "Error",
          message: "orders/work died",
          cause: "Error: broken\n    at work.ts:1:2"
        }),
        line("n1", { _tag: "Logged", level: "Info", message: "hello" })
      ],
      [
        "   12.504 s  database  commit      lease/acquire  leases/leader  fenced leader@3",
        "   12.504 s  n2        crashed     killed",
        "   12.504 s  ·         FAULT       cut on n1",
        "   12.504 s  n1        send        to database  GET /x",
        "   12.504 s  n1        log         Error: orders/work died: Error: broken",
        "   12.504 s  n1        log         Info: hello"
      ]
    )
  })

  it("shows what became of a row that changed alone, times as those of the run", () => {
    const before = { holder: "n1/1", epoch: 3, acquiredAt: 1_767_225_602_500_000, tags: {}, releasedAt: null }
    const after = { ...before, holder: "n2/1", epoch: 4, acquiredAt: 1_767_225_609_000_000, tags: { a: 1 } }
    const commit = (...changes: ReadonlyArray<object>) =>
      line("database", { _tag: "Committed", label: "x", transactionId: 1, fences: [], changes }).slice(35)
    const of = { table: "leases", key: "leader" }
    assert.deepStrictEqual(
      [
        commit({ ...of, before, after }),
        commit({ ...of, before: null, after }),
        commit({ table: "instances", key: "a", before: null, after: { uid: "a", state: "PENDING" } }),
        commit({ ...of, before, after: null }),
        commit({ ...of, before, after }, { ...of, before, after })
      ],
      [
        "x  leases/leader (holder n1/1→n2/1, epoch 3→4, acquiredAt 2.500s→9.000s)",
        "x  leases/leader",
        "x  instances/a (state PENDING)",
        "x  leases/leader (deleted)",
        "x  leases/leader leases/leader"
      ]
    )
  })
})
