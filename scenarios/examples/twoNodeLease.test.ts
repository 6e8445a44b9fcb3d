import { assert, describe, it } from "@effect/vitest"
import type { Committed, Envelope } from "../../core/facts/Envelope.ts"
import type { ActingAs } from "../../core/lease/LeaseFacts.ts"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { Fault } from "../../sim/nemesis/FaultPlan.ts"
import { twoNodeLease } from "./twoNodeLease.ts"

const run = (...faults: ReadonlyArray<Fault>) => {
  const facts: Array<Envelope> = []
  const result = runHere(
    twoNodeLease,
    { scenario: twoNodeLease.name, seed: "1", strategy: "fifo", isCalm: true, plan: { version: 1, faults } },
    { kinds: faultKinds, onFact: (fact) => facts.push(fact) }
  )
  const acting = facts.filter(({ fact }) => fact._tag === "ActingAs")
  const commits = facts.filter(({ fact }) => fact._tag === "Committed")
  return {
    verdict: result.verdict,
    facts,
    /** Holder and epoch, each once, in the order in which they first acted. */
    holders: [
      ...new Set(
        acting.map(({ fact }) => {
          const { grants, holder } = fact as ActingAs
          return `${holder}@${grants[0]?.epoch}`
        })
      )
    ],
    /** When the register was written, and under which epoch. */
    writes: commits.flatMap(({ atMicros, fact }) => {
      const { changes, label } = fact as Committed
      const row = changes.find(({ table }) => table === "register")?.after
      return row === undefined || row === null || row["epoch"] === 0 ? [] : [{ atMicros, label, epoch: row["epoch"] }]
    })
  }
}

describe("two nodes and one lease", () => {
  it("pass it from the one that leaves to the other, which need not wait for its end", () => {
    const { holders, verdict, writes } = run()
    assert.deepStrictEqual(verdict, { _tag: "passed" })
    assert.deepStrictEqual(holders, ["n1/1@1", "n2/1@2"])
    const farewell = writes.find(({ label }) => label === "register/farewell")
    const next = writes.find(({ epoch }) => epoch === 2)
    // A candidate asks again after 1.2 retry periods at the latest.
    assert.isBelow((next?.atMicros ?? Infinity) - (farewell?.atMicros ?? 0), 700_000)
    assert.isTrue(["register/once", "register/transaction"].every((label) => writes.some((one) => one.label === label)))
  })

  it("do not both write when one stands still past its lease: what it sends when it wakes is refused", () => {
    const pause = { when: { at: "3.4s" }, target: "n2", fault: "process/pause", for: "3.7s" }
    const { facts, holders, verdict, writes } = run(pause)
    assert.deepStrictEqual(verdict, { _tag: "passed" })
    assert.deepStrictEqual(holders.slice(0, 3), ["n1/1@1", "n2/1@2", "n1/2@3"])
    assert.isTrue(facts.some(({ fact, node }) => node === "database" && JSON.stringify(fact).includes('"Fenced"')))
    const woke = 7_100_000
    assert.isFalse(writes.some(({ atMicros, epoch }) => atMicros >= woke && epoch === 2))
  })

  it("take the node down whose work does not end with its lease", () => {
    const cut = { when: { at: "0.7s" }, target: "n1", with: "database", fault: "network/partition", for: "7.5s" }
    const { facts, verdict } = run(cut)
    assert.deepStrictEqual(verdict, { _tag: "passed" })
    const crash = facts.find(({ fact, node }) => node === "n1" && fact._tag === "NodeCrashed")
    assert.match(JSON.stringify(crash?.fact), /outlived it/)
  })
})
