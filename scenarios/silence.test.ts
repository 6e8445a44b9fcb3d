/** How soon the silence of an agent is acted on: not before its time, and not long after. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Client from "../core/client/Client.ts"
import { rowChanges } from "../core/invariants/rowChanges.ts"
import { type Instance, instances } from "../core/instance/Instance.ts"
import * as Leader from "../core/Leader.ts"
import { profileDefault } from "../core/lease/Lease.ts"
import {
  brakeRatio,
  heartbeatStaleMillis,
  heartbeatSweepIntervalMillis,
  reconcilePollMillis,
  statementTimeoutMillis
} from "../core/Limits.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import { persist, putFleet } from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"

const desired = 12
const agents = Array.from({ length: 6 }, (_, index) => `agent-${index + 1}`)

/** A fleet that runs, one of whose agents dies: for how long each instance that it spoke for was silent when it was given up, by the store's clock. */
const silenced = (seed: number, { leaderDies }: { readonly leaderDies: boolean }) => {
  const world = new World({ seed: String(seed), strategy: Schedule.random })
  const cluster = Cluster.build(world, { nodes: 3, agents: agents.length })
  const rows = new Map<string, Instance>()
  const heardAtMicros = new Map<string, number>()
  const silentMillis: Array<number> = []
  const givenUpAtMicros: Array<number> = []
  const replacedAtMicros: Array<number> = []
  world.subscribe((envelope) => {
    const { atMicros } = envelope
    for (const { after, before, key } of rowChanges(envelope, instances)) {
      if (before === null && givenUpAtMicros.length > 0) replacedAtMicros.push(atMicros)
      if (after === null) {
        rows.delete(key)
        continue
      }
      rows.set(key, after)
      if (after.agent !== null && after.lastHeartbeatAt !== before?.lastHeartbeatAt) {
        heardAtMicros.set(after.agent, atMicros)
      }
      if (before?.state === "RUNNING" && after.reason === "HeartbeatStale") {
        silentMillis.push((after.updatedAt - after.lastHeartbeatAt!) / 1_000)
        givenUpAtMicros.push(atMicros)
      }
    }
  })
  const wish = Effect.flatMap(Client.make(cluster.addresses[0]!), (client) =>
    persist(putFleet("web", "web", desired), () => Effect.succeed({ client, nth: 1 }))
  )
  world.addNode("operator", Effect.provide(wish, SimHttpClient.layer), { tags: ["client"], mustEnd: true }).start()
  world.runUntil(() => cluster.settled() === true, { within: "120s" })
  // At some moment of the leader's rounds and of the agent's.
  world.run(`${977 * seed}ms`)
  const spokenFor = (agent: string) => [...rows.values()].filter((row) => row.agent === agent).length
  // Few enough that nobody takes it for a fault that all have in common.
  const dead = agents.find((agent) => spokenFor(agent) > 0 && spokenFor(agent) <= brakeRatio * desired)!
  const lost = spokenFor(dead)
  world.node(dead).crash("by hand")
  if (leaderDies) {
    world.run(`${heartbeatStaleMillis - 500 - (world.nowMicros - heardAtMicros.get(dead)!) / 1_000}ms`)
    world.node(cluster.leaderOf(Leader.lease)!).crash("by hand")
  }
  world.run("45s")
  assert.deepStrictEqual([world.ending, cluster.missing()], [undefined, []])
  assert.deepStrictEqual([silentMillis.length, replacedAtMicros.length], [lost, lost])
  return { silentMillis, replacedMillis: (Math.max(...replacedAtMicros) - Math.max(...givenUpAtMicros)) / 1_000 }
}

const missedMillisMax = heartbeatStaleMillis + heartbeatSweepIntervalMillis + statementTimeoutMillis

describe("an agent that dies", () => {
  // covers A12
  it("is given up when it was silent for 30 s, at the next sweep, and what it ran is replaced at the next poll", () => {
    for (const seed of [1, 2]) {
      const { replacedMillis, silentMillis } = silenced(seed, { leaderDies: false })
      const told = JSON.stringify({ seed, silentMillis, replacedMillis })
      for (const millis of silentMillis) {
        assert.isAtLeast(millis, heartbeatStaleMillis, told)
        assert.isAtMost(millis, missedMillisMax, told)
      }
      assert.isAtMost(replacedMillis, 2 * reconcilePollMillis + statementTimeoutMillis, told)
    }
  })

  // covers A12
  it("is given up a lease and a retry later at most where the leader dies just before it would be", () => {
    // A seed by which nothing of what replaces the dead agent's instances is dealt to it again.
    const { silentMillis } = silenced(5, { leaderDies: true })
    const { durationMillis, retryPeriodMillis } = profileDefault
    for (const millis of silentMillis) {
      assert.isAtLeast(millis, missedMillisMax, "the dead leader had no part in it")
      assert.isAtMost(millis, missedMillisMax + durationMillis + retryPeriodMillis)
    }
  })
})
