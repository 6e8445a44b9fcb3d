import { assert, describe, it } from "@effect/vitest"
import * as Schedule from "../sim/kernel/Schedule.ts"
import { World } from "../sim/run/World.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

describe("a single node, as in development", () => {
  it("leads and owns every group without being told how many nodes there are, and again after it was killed", () => {
    const world = new World({ seed: "1", strategy: Schedule.random })
    const { leasesSettled } = Cluster.build(world, { nodes: 1 })
    world.run("30s")
    assert.strictEqual(leasesSettled(), true)
    world.node("n1").crash("by hand")
    assert.strictEqual(leasesSettled(), "leader is held by n1, which is down")
    world.node("n1").start()
    world.run("40s")
    assert.strictEqual(leasesSettled(), true)
  })
})
