/** A cluster where one node serves the API and others do the work. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import { groups, leaseOf } from "../core/bucket/Bucket.ts"
import * as Leader from "../core/Leader.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

const put = (address: string) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const request = HttpClientRequest.put(`${address}/v1/projects/shop/fleets/web`, {
      headers: { "idempotency-key": "k-1" }
    })
    const spec = { image: "web:1", size: "small" }
    return yield* client.execute(HttpClientRequest.bodyJsonUnsafe(request, { desired: 2, spec }))
  }).pipe(Effect.flatMap(({ status, text }) => Effect.map(text, (text) => ({ status, text }))))

describe("nodes with roles", () => {
  const start = () => {
    const world = new World({ seed: "1" })
    const cluster = Cluster.build(world, {
      nodes: 3,
      agents: 1,
      roles: { n1: ["api"], n2: ["worker"], n3: ["worker"] }
    })
    const leases = [Leader.lease, ...groups.map(leaseOf)]
    const holders = () => [...new Set(leases.map(cluster.leaderOf))].toSorted()
    return { world, cluster, holders }
  }

  it("the one without work serves what the others work on, and holds nothing, even when they are gone", () => {
    const { cluster, holders, world } = start()
    const told: Array<Effect.Success<ReturnType<typeof put>>> = []
    const client = Effect.gen(function* () {
      yield* Effect.sleep(20_000)
      for (const address of cluster.addresses) told.push(yield* put(address))
    })
    world.addNode("caller", Effect.provide(client, SimHttpClient.layer), { mustEnd: true }).start()
    world.run("60s")
    assert.deepStrictEqual(
      told.map(({ status }) => status),
      [201, 421, 421]
    )
    assert.include(told[1]!.text, "n2 serves no API: its role is worker; ask a node with the role api")
    assert.deepStrictEqual(holders(), ["n2", "n3"])
    assert.deepStrictEqual(cluster.missing(), [], "the fleet runs")
    world.node("n2").crash("by hand")
    world.run("20s")
    assert.deepStrictEqual(holders(), ["n3"])
    world.node("n3").crash("by hand")
    world.run("20s")
    assert.deepStrictEqual(holders(), ["n3"], "as the rows still say")
  })

  it("the one without work is a member whose name is taken", () => {
    const { cluster, world } = start()
    const told: Array<string> = []
    const client = Effect.gen(function* () {
      yield* Effect.sleep(30_000)
      const response = yield* HttpClient.get(`${cluster.addresses[0]}/v1/members`)
      told.push(yield* response.text)
    })
    world.addNode("caller", Effect.provide(client, SimHttpClient.layer), { mustEnd: true }).start()
    world.run("40s")
    const { items } = JSON.parse(told[0]!) as {
      readonly items: ReadonlyArray<{ id: string; weight: number; seenAt: number }>
    }
    assert.deepStrictEqual(
      items.map(({ id, weight }) => [id, weight]),
      [
        ["n1", 0],
        ["n2", 1],
        ["n3", 1]
      ]
    )
    // Its row is touched as often as theirs, long after it joined.
    for (const { seenAt } of items) assert.isAbove(seenAt, items[1]!.seenAt - 6_000_000)
  })
})
