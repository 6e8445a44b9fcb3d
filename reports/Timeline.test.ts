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
})
