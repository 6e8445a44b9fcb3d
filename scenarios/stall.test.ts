import { assert, describe, it } from "@effect/vitest"
import * as FailureScreen from "../reports/FailureScreen.ts"
import type { Scenario } from "../sim/run/Scenario.ts"
import { runScenario } from "../sim/run/Simulation.ts"
import type { World } from "../sim/run/World.ts"
import { calm } from "./calm.ts"

/** A quiet cluster whose faults are over, and then something breaks for good. */
const broken = (breaks: (world: World) => void): Scenario => ({
  ...calm,
  safetyMillis: 20_000,
  liveness: { withinMillis: 20_000, quietMillis: 0, noise: () => false },
  build: (world, parameters) => {
    calm.build(world, parameters)
    world.kernel.schedule(22_000_000, () => breaks(world), undefined)
    return { converged: () => "it is broken" }
  }
})

const waitingIn = (scenario: Scenario) => {
  const request = { scenario: "stall", seed: "1", strategy: "random" } as const
  const result = runScenario(scenario, request, { kinds: [] })
  if (result.verdict._tag !== "stalled") throw new Error(`not stalled: ${result.verdict._tag}`)
  const screen = FailureScreen.render({ result, facts: [], replay: "", file: undefined, paint: (_style, text) => text })
  const waiting = result.verdict.waiting.map(({ fiber, node, waitsFor }) => `${node}: ${fiber} waits for ${waitsFor}`)
  return { waiting, screen }
}

describe("a control plane that stands still", () => {
  const noDatabase = broken((world) => world.node("database").pause())

  it("says by name which loop of which node waits for the database, and with what", () => {
    const { waiting, screen } = waitingIn(noDatabase)
    assert.include(waiting, "database: the node waits for the end of its pause")
    assert.match(screen, /\n {2}n\d: lease\/compete waits? for the database \(lease\/look\) since \d+\.\d{3} s\n/)
  })

  it("every fiber of every node has a name that says more than main, but the one that only keeps its node open", () => {
    const { waiting } = waitingIn(broken(() => undefined))
    const nameless = waiting.filter((line) => / main waits for (?!nothing|its timer)/.test(line))
    assert.deepStrictEqual(nameless, [])
    for (const name of [
      "lease/renew",
      "lease/watch",
      "lease/compete",
      "leader/heartbeat sweep",
      "buckets/own",
      "buckets/0",
      "reconcile/poll",
      "reconcile/resync",
      "reconcile/dispatch",
      "agent/beat"
    ]) {
      assert.isTrue(
        waiting.some((line) => line.includes(`: ${name} waits for `)),
        name
      )
    }
  })

  it("a node that cannot join says so", () => {
    const { waiting } = waitingIn(
      broken((world) => {
        world.node("database").pause()
        world.node("n1").crash("by hand")
        world.node("n1").start()
      })
    )
    assert.isTrue(waiting.some((line) => line.startsWith("n1: member/join waits for ")))
  })

  it("nothing in it differs between two runs", () => {
    assert.deepStrictEqual(waitingIn(noDatabase), waitingIn(noDatabase))
  })
})
