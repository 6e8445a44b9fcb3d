/** How long it takes until others do what a node did that has gone; and what a node knows that starts again. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { groups, leaseOf } from "../core/bucket/Bucket.ts"
import * as Client from "../core/client/Client.ts"
import { all } from "../core/invariants/all.ts"
import { commitOf } from "../core/invariants/rowChanges.ts"
import * as Leader from "../core/Leader.ts"
import { type LeaseProfile, profileConservative, profileDefault, renewIntervalMillis } from "../core/lease/Lease.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import { persist, putFleet } from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

const profiles = { default: profileDefault, conservative: profileConservative }

/** Three nodes that have shared what there is, at a moment of their rounds that the seed says. */
const settled = (seed: number, profile: LeaseProfile) => {
  const world = new World({ seed: String(seed), strategy: Schedule.random })
  const cluster = Cluster.build(world, { nodes: 3, profile })
  world.run(`${40_000 + 977 * seed}ms`)
  const owners = () => groups.map((group) => cluster.leaderOf(leaseOf(group)))
  return { world, leader: () => cluster.leaderOf(Leader.lease), owners }
}

describe("a leader that dies without a word", () => {
  for (const [name, profile] of Object.entries(profiles)) {
    const { durationMillis, retryPeriodMillis } = profile
    // covers A21, A26, A27
    it(`is followed within T + P, its buckets are others' a round later, and hardly another bucket moves (${name} profile)`, () => {
      const waits = [1, 2, 3].map((seed) => {
        const { leader, owners, world } = settled(seed, profile)
        const [dead, before] = [leader()!, owners()]
        assert.strictEqual(new Set(before).size, 3)
        world.node(dead).crash("by hand")
        const diedMicros = world.nowMicros
        const untilMillis = (isSo: () => boolean) => {
          if (!isSo()) world.runUntil(isSo, { within: "60s" })
          return (world.nowMicros - diedMicros) / 1_000
        }
        const ledMillis = untilMillis(() => leader() !== dead)
        const ownedMillis = untilMillis(() => !owners().includes(dead))
        // Not none: a group that its first choice had no room for goes there when the shares grow.
        const moved = owners().filter((owner, group) => before[group] !== dead && owner !== before[group])
        assert.isAtMost(moved.length, 2)
        return { ledMillis, ownedMillis }
      })
      const told = JSON.stringify(waits)
      for (const { ledMillis, ownedMillis } of waits) {
        assert.isAtLeast(ledMillis, durationMillis - renewIntervalMillis(profile) - 100, told)
        assert.isAtMost(ledMillis, durationMillis + retryPeriodMillis, told)
        assert.isAtMost(ownedMillis, durationMillis + renewIntervalMillis(profile) + retryPeriodMillis, told)
      }
    })
  }
})

/** One node and an agent, and somebody who scales a fleet up and down. */
const alone = () => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const cluster = Cluster.build(world, { nodes: 1, agents: 1 })
  const scale = Effect.gen(function* () {
    const client = yield* Client.make(cluster.addresses[0]!)
    for (let nth = 1; nth <= 20; nth++) {
      const pick = () => Effect.succeed({ client, nth })
      yield* persist(putFleet(`scale-${nth}`, "web", nth % 2 === 0 ? 1 : 4), pick)
      yield* Effect.sleep("6 seconds")
    }
  })
  world.addNode("operator", Effect.provide(scale, SimHttpClient.layer), { tags: ["client"], mustEnd: true }).start()
  const violations: Array<string> = []
  for (const { name, start } of all) {
    const judge = start()
    world.subscribe((envelope) => {
      const violation = judge.step(envelope)
      if (violation !== undefined) violations.push(`${name}: ${violation.message}`)
    })
  }
  return { world, cluster, violations }
}

describe("a node that starts again", () => {
  // covers A8, A15
  it("knows what was committed, after whichever kind of commit it was killed", () => {
    const kinds = new Set<string>()
    const undisturbed = alone()
    undisturbed.world.subscribe((envelope) => {
      const label = commitOf(envelope)?.label
      if (label !== undefined) kinds.add(label)
    })
    undisturbed.world.run("60s")
    const expected = [...kinds].filter((label) => /^(fleet|instance|heartbeat|idempotency|lease|member)/.test(label))
    assert.includeMembers(expected, ["fleets/put", "fleet/scale", "fleet/status", "lease/acquire"])

    const { cluster, violations, world } = alone()
    const killedAfter: Array<string> = []
    while (killedAfter.length < expected.length) {
      const isNew = (label: string | undefined) =>
        label !== undefined && expected.includes(label) && !killedAfter.includes(label)
      const found = world.runUntil((envelope) => isNew(commitOf(envelope)?.label), { within: "200s" })
      killedAfter.push(commitOf(found)!.label)
      world.node("n1").crash("by hand")
      world.run("500ms")
      world.node("n1").start()
    }
    const isOver = () => world.unended.length === 0 && cluster.settled() === true
    for (let round = 0; round < 60 && !isOver(); round++) world.run("10s")
    assert.deepEqual([violations, cluster.settled()], [[], true])
  })
})
