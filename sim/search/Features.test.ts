import { assert, describe, it } from "@effect/vitest"
import { Features } from "./Features.ts"
import { committed, factsOf, type Line } from "./Story.fixture.ts"

type Lines = ReadonlyArray<Line>

const reached = (...lines: Lines): ReadonlySet<number> => {
  const features = new Features()
  for (const envelope of factsOf(...lines)) features.hear(envelope)
  return new Set(features.hashes)
}

const created = committed("create", { table: "instances", key: "a", before: null, after: { state: "PENDING" } })
const started = committed("start", {
  table: "instances",
  key: "a",
  before: { state: "PENDING" },
  after: { state: "RUNNING" }
})
const partition = { _tag: "FaultActed", fault: "network/partition" }

describe("what a run reached", () => {
  it("is the same however often it reached it, and whatever its times and ids were", () => {
    const once = reached(["database", 0, created], ["n1", 0, { _tag: "Joined" }], ["database", 0, created])
    const more = reached(
      ["database", 7, created],
      ["n1", 1, { _tag: "Joined" }],
      ["database", 0, created],
      ["n1", 2, { _tag: "Joined" }],
      ["database", 3, created]
    )
    assert.isTrue(once.isSubsetOf(more))
    assert.isBelow(more.size - once.size, 4)
  })

  it.each<readonly [string, Lines, Lines]>([
    [
      "a fault is in force",
      [["n1", 0, { _tag: "Joined" }]],
      [
        ["", 0, partition],
        ["n1", 0, { _tag: "Joined" }]
      ]
    ],
    [
      "the fault is over",
      [
        ["", 0, partition],
        ["", 0, { _tag: "FaultUndone", fault: "network/partition" }],
        ["n1", 0, { _tag: "Joined" }]
      ],
      [
        ["", 0, partition],
        ["n1", 0, { _tag: "Joined" }]
      ]
    ],
    [
      "another transaction changed the row before",
      [["database", 0, started]],
      [
        ["database", 0, created],
        ["database", 0, started]
      ]
    ],
    [
      "somebody else acted in between",
      [
        ["n1", 0, { _tag: "Joined" }],
        ["n1", 0, { _tag: "Assigned" }]
      ],
      [
        ["n1", 0, { _tag: "Joined" }],
        ["n2", 0, { _tag: "Joined" }],
        ["n1", 0, { _tag: "Assigned" }]
      ]
    ]
  ])("is more where %s", (_what, less, more) => {
    assert.isNotEmpty([...reached(...more).difference(reached(...less))])
  })
})
