import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { placements, placesOf, spread } from "./Placement.ts"
import { committed, factsOf } from "./Story.fixture.ts"

const isProcess = (node: string) => /^n\d$/.test(node)
const change = { table: "leases", key: "leader", before: null, after: { epoch: 1 } }

describe("the places of a run", () => {
  it("are its messages, its writes, by whoever sent them, and what it did outside", () => {
    const facts = factsOf(
      ["n1", 0, { _tag: "Sent", to: "database", label: "lease/acquire" }],
      ["database", 1, { _tag: "Delivered", from: "n1" }],
      ["database", 2, committed("lease/acquire", change)],
      ["database", 3, { _tag: "Sent", to: "n1" }],
      ["n2", 0, { _tag: "EffectStarted" }],
      ["n1", 4, { _tag: "Sent", to: "database", label: "lease/acquire" }]
    )
    assert.deepStrictEqual(
      placesOf(facts, isProcess).map(({ kind, node, nth, peer }) => [kind, node, peer, nth]),
      [
        ["message", "n1", "database", 1],
        ["write", "n1", "database", 1],
        ["effect", "n2", undefined, 1],
        ["message", "n1", "database", 2]
      ]
    )
  })

  it("are not where nothing changed, nor where nobody who may be hurt acted", () => {
    const facts = factsOf(
      ["n1", 0, { _tag: "TimerSet" }],
      ["n1", 1, { _tag: "Sent", to: "n2" }],
      ["database", 2, committed("looked")],
      ["database", 0, committed("by itself", change)],
      ["client-1", 0, { _tag: "ClientAnswered" }]
    )
    assert.deepStrictEqual(
      placesOf(facts, isProcess).map(({ pattern }) => pattern.fact),
      ["Sent"]
    )
  })
})

describe("placements", () => {
  const facts = factsOf(
    ...Array.from(
      { length: 9 },
      (_, nth) => ["n1", 0, { _tag: "Sent", to: "database", label: nth < 6 ? "renew" : "look" }] as const
    )
  )
  const plans = [...placements(placesOf(facts, isProcess))]

  it("come to every place with every fault of its kind, each once, one fault a plan", () => {
    const names = plans.map(({ faults }) => JSON.stringify(faults))
    assert.lengthOf(plans, 9 * 4)
    assert.lengthOf([...new Set(names)], names.length)
    for (const { faults } of plans) assert.lengthOf(faults, 1)
  })

  it("begin with each class, and with places far from each other", () => {
    const first = plans.slice(0, 2).map(({ faults: [fault] }) => fault?.when)
    assert.deepStrictEqual(first, [
      { on: { fact: "Sent", node: "n1", where: { label: "renew", to: "database" } }, nth: 1 },
      { on: { fact: "Sent", node: "n1", where: { label: "look", to: "database" } }, nth: 1 }
    ])
    assert.deepStrictEqual(spread(6), [0, 4, 2, 1, 5, 3])
  })

  it("leave no place out: an order that halves the gaps is a permutation", () =>
    fc.assert(
      fc.property(fc.nat(400), (count) => {
        assert.deepStrictEqual(
          spread(count).toSorted((left, right) => left - right),
          Array.from({ length: count }, (_, index) => index)
        )
      })
    ))
})
