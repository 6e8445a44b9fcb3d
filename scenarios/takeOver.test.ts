/** How long it takes until others do what a node did that has gone; and what a node knows that starts again. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { groups, leaseOf } from "../core/bucket/Bucket.ts"
import * as Client from "../core/client/Client.ts"
import type { Envelope } from "../core/facts/Envelope.ts"
import { all } from "../core/invariants/all.ts"
import * as Leader from "../core/Leader.ts"
import { type LeaseProfile, profileConservative, profileDefault, renewIntervalMillis } from "../core/lease/Lease.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import { persist, putFleet } from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import * as WhoWrites from "./whoWrites.fixture.ts"

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

/** One node and an agent, and somebody who scales a fleet up and down, until he is stopped. */
const alone = () => {
  const world = new World({ seed: "1", strategy: Schedule.random })
  const cluster = Cluster.build(world, { nodes: 1, agents: 1 })
  const asking = { isStopped: false }
  const scale = Effect.gen(function* () {
    const client = yield* Client.make(cluster.addresses[0]!)
    for (let nth = 1; !asking.isStopped; nth++) {
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
  const stop = () => {
    asking.isStopped = true
  }
  return { world, cluster, stop, violations }
}

describe("a node that starts again", () => {
  // covers A8, A15, A16
  it("knows what was committed, wherever it waited when it was killed", () => {
    const { cluster, stop, violations, world } = alone()
    const { found, written } = WhoWrites.follow(world)
    const killedAt = new Set<string>()
    /** For an answer of the database, or of the provider. */
    const waitsFor = ({ fact, node }: Envelope): string | undefined => {
      if (node !== "n1") return undefined
      const { effect, label, storage, to } = fact as unknown as Readonly<Record<string, unknown>>
      if (fact._tag === "Sent" && to === "database") return `${label}: ${storage}`
      return fact._tag === "EffectStarted" ? `provider: ${effect}` : undefined
    }
    /** Undefined when there was no other for a minute. */
    const nextPoint = (): string | undefined => {
      const untilMicros = world.nowMicros + 60_000_000
      const isNew = (point: string | undefined) => point !== undefined && !killedAt.has(point)
      const found = world.runUntil((each) => isNew(waitsFor(each)) || each.atMicros > untilMicros, { within: "70s" })
      const point = waitsFor(found)
      return isNew(point) ? point : undefined
    }
    for (let point = nextPoint(); point !== undefined; point = nextPoint()) {
      killedAt.add(point)
      world.node("n1").crash("by hand")
      world.run("500ms")
      world.node("n1").start()
    }
    stop()
    const parts = [
      "member/join",
      "lease/acquire",
      "fleets/put",
      "fleet/scale",
      "instance/move",
      "audit/seal",
      "provider"
    ]
    for (const part of parts)
      assert.isTrue(
        [...killedAt].some((point) => point.startsWith(part)),
        part
      )
    assert.isAtLeast(killedAt.size, 50)
    assert.containsAllKeys(written, [
      "fleets.desired",
      "fleets.scaledGeneration",
      "fleet_statuses.running",
      "instances.state"
    ])
    assert.isEmpty(found)
    for (let round = 0; round < 60 && cluster.settled() !== true; round++) world.run("10s")
    assert.deepEqual([violations, cluster.settled()], [[], true])
  })
})
