/** What nodes measure of themselves, in a world where nothing fails. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { groups } from "../core/bucket/Bucket.ts"
import * as Leader from "../core/Leader.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import { World } from "../sim/run/World.ts"
import * as Clients from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

/** A minute of three nodes with one agent and one client. */
const minute = () => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const cluster = Cluster.build(world, { nodes: 3, agents: 1 })
  Clients.build(world, {
    clients: 1,
    addresses: cluster.addresses,
    requestsPerSecond: 1,
    fleets: 1,
    desiredMin: 3,
    desiredMax: 3,
    untilMicros: 20_000_000
  })
  const answered = { executed: 0, replayed: 0 }
  world.subscribe(({ fact }) => {
    if (fact._tag !== "Acknowledged") return
    answered[(fact as unknown as { isReplay: boolean }).isReplay ? "replayed" : "executed"]++
  })
  world.run("1m")
  const measured = (node: string) =>
    Metric.snapshotUnsafe(Context.make(Metric.MetricRegistry, world.node(node).metrics) as never)
  return { world, cluster, answered, measured }
}

type Snapshot = Metric.Metric.Snapshot

/** The sum of the series of a counter or gauge that have these attributes; of a histogram, how many were observed. */
const total = (snapshots: ReadonlyArray<Snapshot>, id: string, attributes: Readonly<Record<string, string>> = {}) =>
  snapshots
    .filter((series) => series.id === id)
    .filter((series) => Object.entries(attributes).every(([name, value]) => series.attributes?.[name] === value))
    .reduce((sum, { state }) => sum + Number("value" in state ? state.value : (state as { count: number }).count), 0)

describe("the metrics of a cluster", () => {
  const { cluster, answered, measured } = minute()
  const everywhere = cluster.nodes.flatMap(measured)

  it("each node counts for itself, and says who it is", () => {
    for (const node of cluster.nodes) {
      assert.isAbove(total(measured(node), "stormglass_lease_renewals_total", { outcome: "kept" }), 0, node)
      assert.isTrue(
        measured(node).every(({ attributes }) => attributes?.["node"] === node),
        node
      )
    }
  })

  // covers A32
  it("every lease is held by one node, and one of them leads", () => {
    assert.strictEqual(total(everywhere, "stormglass_leases_held"), groups.length + 1)
    const leading = cluster.nodes.filter((node) => total(measured(node), "stormglass_leader_epoch") > 0)
    assert.deepStrictEqual(leading, [cluster.leaderOf(Leader.lease)])
    assert.strictEqual(total(everywhere, "stormglass_leases_lost_total"), 0)
  })

  // covers A32
  it("what is wanted, and what runs, are told by the leader alone", () => {
    const leader = measured(cluster.leaderOf(Leader.lease)!)
    for (const state of ["desired", "live", "running"]) {
      const attributes = { fleet: "shop/fleet-1", state }
      assert.strictEqual(total(leader, "stormglass_fleet_instances", attributes), 3, state)
      assert.strictEqual(total(everywhere, "stormglass_fleet_instances", attributes), 3, state)
    }
  })

  // covers A32
  it("requests are counted as they were answered, and reconciles as often as they were timed", () => {
    const requests = (outcome: string) => total(everywhere, "stormglass_idempotent_requests_total", { outcome })
    assert.isAbove(answered.executed, 5)
    assert.strictEqual(requests("executed"), answered.executed)
    assert.strictEqual(requests("replayed"), answered.replayed)
    assert.isAbove(total(everywhere, "stormglass_reconciles_total", { outcome: "Done" }), 3)
    assert.strictEqual(
      total(everywhere, "stormglass_reconciles_total"),
      total(everywhere, "stormglass_reconcile_seconds")
    )
    assert.isAbove(total(everywhere, "stormglass_heartbeats_total", { outcome: "heard" }), 3)
  })

  it("are the same in a second run", () => {
    const again = minute()
    assert.deepStrictEqual(again.cluster.nodes.flatMap(again.measured), everywhere)
  })

  it("a leader that steps down is silent about what the next one counts, and a process that starts again has measured nothing", () => {
    const { world, measured: now, cluster: other } = minute()
    const leader = other.leaderOf(Leader.lease)!
    world.network.partition([leader], [Cluster.databaseName])
    world.run("5s")
    assert.strictEqual(total(now(leader), "stormglass_leader_epoch"), 0)
    assert.isAbove(total(now(leader), "stormglass_leases_lost_total", { cause: "deadline" }), 0)
    assert.isFalse(now(leader).some(({ id }) => id === "stormglass_fleet_instances"))
    world.node(leader).crash("by hand")
    world.node(leader).start()
    assert.isEmpty(now(leader))
  })

  // covers A32
  it("are listed in the documentation, all of them and no others", () => {
    const names = (text: string) => new Set(text.match(/stormglass_[a-z_]+/g))
    const declared = names(readFileSync(new URL("../core/Metrics.ts", import.meta.url), "utf8"))
    const listed = names(readFileSync(new URL("../docs/control-plane.md", import.meta.url), "utf8"))
    assert.sameMembers([...listed], [...declared])
  })
})
