/** How an instance failed, from the host on which it did to the row of it and of the one that replaces it. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Client from "../core/client/Client.ts"
import { all } from "../core/invariants/all.ts"
import { instances } from "../core/instance/Instance.ts"
import { toCheck } from "../core/invariants/Invariant.ts"
import { rowChanges } from "../core/invariants/rowChanges.ts"
import { change, commit, instanceRow, told, type Line } from "../core/invariants/Story.fixture.ts"
import * as Schedule from "../sim/kernel/Schedule.ts"
import * as SimHttpClient from "../sim/network/SimHttpClient.ts"
import { World } from "../sim/run/World.ts"
import { persist, putFleet } from "./Clients.ts"
import * as Cluster from "./ControlPlaneCluster.ts"
import { failureTold } from "./failureTold.ts"

describe("how an instance failed", () => {
  for (const way of ["over sessions", "by polls"] as const) {
    it(`stands in what is stored of it and of who replaces it, as its agent says it ${way}`, () => {
      const world = new World({ seed: "1", strategy: Schedule.random })
      const { addresses, hosts } = Cluster.build(world, {
        nodes: 1,
        agents: 1,
        runsOnAgents: true,
        agentsBehindProxy: way === "by polls",
        failuresMax: 2
      })
      const judges = [...all, toCheck(failureTold)].map(({ start }) => start())
      const failures: Array<string> = []
      const inherited: Array<string | null> = []
      world.subscribe((envelope) => {
        for (const { step } of judges) assert.isUndefined(step(envelope))
        for (const { before, after } of rowChanges(envelope, instances)) {
          if (before === null && after?.failure !== null) inherited.push(after!.failure)
          if (before?.state !== "ERROR" && after?.state === "ERROR") failures.push(after.failure!)
        }
      })
      hosts.get("agent-1")!.poison("web")
      const client = Effect.gen(function* () {
        const client = yield* Client.make(addresses[0]!)
        yield* persist(putFleet("k", "web", 1), () => Effect.succeed({ client, nth: 0 }))
      })
      world.addNode("client", Effect.provide(client, SimHttpClient.layer), { tags: ["client"] }).start()
      world.run("60s")
      assert.strictEqual(failures.length, 2, failures.join("\n"))
      for (const failure of failures) {
        assert.match(
          failure,
          /^its start failed on agent agent-1: exited with code 1: agent-1\/resource-\d+-web\/small$/
        )
      }
      assert.deepStrictEqual(inherited, [failures[0]!])
    })
  }
})

describe("failure-told", () => {
  const creating = instanceRow("a", { state: "CREATING" })
  const failsWith = (failure: string): Line => {
    const failed = instanceRow("a", { state: "ERROR", reason: "StartFailed", failures: 1, failure, failedAt: 1 })
    return [2, "n1", commit("instance/move/ERROR", [change(instances, "a", creating, failed)])]
  }
  const started = (uid: string, resource: string): Line => [
    1,
    "a1",
    { _tag: "ProviderStarted", uid, resource } as never
  ]
  const [own, others] = [started("a", "a1/resource-0"), started("b", "a1/resource-1")]

  it("holds where it is the instance's own, or nothing is told", () => {
    const line = "its start failed on agent a1: exited with code 1: a1/resource-0"
    assert.strictEqual(told(failureTold, own, failsWith(line)), "holds")
    assert.strictEqual(told(failureTold, own, failsWith("its start failed on agent a1")), "holds")
  })

  it("is broken by another's, and by another agent", () => {
    for (const line of [
      "its start failed on agent a1: exited with code 1: a1/resource-1",
      "its start failed on agent a2: exited with code 1: a1/resource-0"
    ]) {
      assert.strictEqual(told(failureTold, own, others, failsWith(line)), `instance a: ${line}, which is not of it`)
    }
  })
})
