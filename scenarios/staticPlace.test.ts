/** Nodes that were told what to own, as in development. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { groups, leaseOf, placementOf } from "../core/bucket/Bucket.ts"
import { groupsOf, problem } from "../core/bucket/StaticPlace.ts"
import { fnv1a32 } from "../core/hash/fnv1a32.ts"
import { bucketGroupCount } from "../core/Limits.ts"
import { all } from "../core/invariants/all.ts"
import { World } from "../sim/run/World.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

describe("a static place", () => {
  it("each group is that of one index, whatever the count", () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: bucketGroupCount }), (count) => {
        const owned = Array.from({ length: count }, (_, index) => groupsOf({ index, count }))
        assert.deepStrictEqual(
          owned.flat().toSorted((a, b) => a - b),
          groups
        )
        assert.isAtMost(
          Math.max(...owned.map((each) => each.length)) - Math.min(...owned.map((each) => each.length)),
          1
        )
      })
    ))

  // The sums are those of Go's hash/fnv New32a.
  // covers A23
  it("is where Go would find a key: the sum modulo 1024 buckets, 32 to a group, modulo the count", () => {
    const keys: ReadonlyArray<readonly [string, number, number]> = [
      ["a", 0xe40c292c, 9],
      ["ab", 0x4d2505ca, 14],
      ["abc", 0x1a47e90b, 8],
      ["foobar", 0xbf9cf968, 11]
    ]
    for (const [key, sum, group] of keys) {
      assert.strictEqual(fnv1a32(key), sum)
      assert.strictEqual(placementOf(key).bucketGroup, group)
      for (const index of [0, 1, 2]) {
        assert.strictEqual(groupsOf({ index, count: 3 }).includes(placementOf(key).bucketGroup), group % 3 === index)
      }
    }
  })

  it("is refused where there is none", () => {
    assert.isUndefined(problem({ index: 0, count: 1 }))
    assert.match(problem({ index: 3, count: 3 })!, /^index 3 of 3: they go from 0 to 2$/)
    assert.match(problem({ index: -1, count: 3 })!, /^index -1/)
    assert.match(problem({ index: 0, count: 33 })!, /^33 nodes: .* from 1 to 32$/)
    assert.match(problem({ index: 0, count: 0 })!, /^0 nodes/)
  })
})

describe("nodes with static places", () => {
  const start = () => {
    const world = new World({ seed: "1" })
    const cluster = Cluster.build(world, { nodes: 3, isStatic: true })
    const ownerOf = (group: number) => cluster.leaderOf(leaseOf(group))
    const violations: Array<string> = []
    for (const { name, start } of all) {
      const judge = start()
      world.subscribe((envelope) => {
        const violation = judge.step(envelope)
        if (violation !== undefined) violations.push(`${name}: ${violation.message}`)
      })
    }
    return { world, cluster, ownerOf, violations }
  }

  // covers A24
  it("own what they were told, and nobody owns what was a dead one's until it is back", () => {
    const { cluster, ownerOf, violations, world } = start()
    world.run("30s")
    assert.strictEqual(cluster.leasesSettled(), true)
    for (const group of groups) assert.strictEqual(ownerOf(group), `n${(group % 3) + 1}`)
    world.node("n2").crash("by hand")
    world.run("20s")
    for (const group of groups) assert.strictEqual(ownerOf(group), `n${(group % 3) + 1}`, "as the rows still say")
    assert.match(String(cluster.leasesSettled()), /is held by n2, which is down/)
    world.node("n2").start()
    world.run("40s")
    assert.strictEqual(cluster.leasesSettled(), true)
    assert.deepStrictEqual(violations, [])
  })

  // covers A24
  it("one that is told the index of another ends itself, says whose it is, and takes nothing", () => {
    const { cluster, ownerOf, violations, world } = start()
    const said: Array<string> = []
    world.subscribe(({ fact, node }) => {
      if (fact._tag === "NodeCrashed") said.push(`${node}: ${(fact as unknown as { readonly reason: string }).reason}`)
    })
    world.run("10s")
    cluster.join("n4")
    world.run("5s")
    assert.match(said[0] ?? "", /^n4: index 0 is that of n1; give each node an index of its own, from 0 to 2$/)
    for (const group of groups) assert.strictEqual(ownerOf(group), `n${(group % 3) + 1}`)
    assert.deepStrictEqual(violations, [])
  })
})
