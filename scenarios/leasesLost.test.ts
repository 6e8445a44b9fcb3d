/** What whoever looks after a node reads of leases that it lost unwillingly. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { groups, leaseOf } from "../core/bucket/Bucket.ts"
import { lease as leaderLease } from "../core/Leader.ts"
import { add, eq } from "../core/ports/Condition.ts"
import { leases, Storage } from "../core/ports/Storage.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import { World } from "../sim/run/World.ts"
import * as SimStorage from "../sim/storage/SimStorage.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

/** Two nodes that share what there is, and every warning of theirs from then on. */
const settled = () => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const cluster = Cluster.build(world, { nodes: 2 })
  world.run("30s")
  const warnings: Array<string> = []
  world.kernel.facts.subscribeDetailed(({ fact, node }) => {
    const { level, message } = fact as { readonly level?: string; readonly message?: string }
    if (fact._tag === "Logged" && level === "Warn") warnings.push(`${node}: ${message}`)
  })
  return { world, cluster, warnings }
}

describe("leases that a node loses", () => {
  it("while the database is away are told in one line, once, with their epochs and what the database did not do", () => {
    const { cluster, warnings, world } = settled()
    world.node(Cluster.databaseName).pause()
    world.run("20s")
    assert.lengthOf(warnings, 2)
    const lost = warnings.flatMap((warning) => {
      const told = /^(n[12]): lost (.+): no renewal was answered for 4000 ms, lastly: \S/.exec(warning)
      assert.isNotNull(told, warning)
      return told![2]!.split(", ").map((each) => `${told![1]} ${each}`)
    })
    const owned = [leaderLease, ...groups.map(leaseOf)].map((lease) => `${cluster.leaderOf(lease)} ${lease} of epoch`)
    const epochless = lost.map((each) => each.replace(/ \d+$/, ""))
    assert.sameMembers(epochless, owned)
    world.node(Cluster.databaseName).resume()
    world.run("30s")
    assert.lengthOf(warnings, 2)
    assert.strictEqual(cluster.leasesSettled(), true)
  })

  it("to another are told by name and epoch, once", () => {
    const { cluster, warnings, world } = settled()
    const leader = cluster.leaderOf(leaderLease)
    const taking = Effect.flatMap(Storage, ({ once }) =>
      once(
        (tx) =>
          tx.update(leases, {
            where: (row) => eq(row.key, leaderLease),
            set: (row) => ({ holder: "stranger/1", epoch: add(row.epoch, 1) })
          }),
        { label: "taken" }
      )
    )
    world.addNode("stranger", Effect.provide(taking, SimStorage.layer({ database: Cluster.databaseName }))).start()
    world.run("10s")
    assert.deepStrictEqual(warnings, [`${leader}: lost ${leaderLease} of epoch 1: another has taken it over since`])
  })
})
