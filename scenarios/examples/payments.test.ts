import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import { runScenario } from "../../sim/run/Simulation.ts"
import { World } from "../../sim/run/World.ts"
import { build, payments } from "./payments.ts"

const run = (seed: number, remembers: boolean) =>
  runScenario(
    { ...payments, build: (world) => build(world, { remembers }) },
    { scenario: payments.name, seed: String(seed), strategy: "random" },
    { kinds: faultKinds }
  )

describe("a cluster steered by hand", () => {
  it("a charge whose answer is lost in a partition is repeated, and charged once", () => {
    const cluster = new World({ seed: "1" })
    build(cluster, { remembers: true })
    const charged: Array<string> = []
    cluster.subscribe(({ fact }) => {
      if (fact._tag === "Charged") charged.push((fact as unknown as { order: string }).order)
    })

    cluster.runUntil(({ fact, node }) => fact._tag === "Delivered" && node === "server", { within: "5s" })
    const heal = cluster.network.partitionOneWay(["server"], ["client"])
    cluster.run("3s")
    assert.deepStrictEqual(charged, ["1"], "the client still waits for the first answer")
    heal()
    cluster.node("server").pause()
    cluster.run("2s")
    cluster.node("server").resume()
    cluster.run("1m")
    assert.deepStrictEqual(charged, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"])
    assert.deepStrictEqual(cluster.unended, [])
  })
})

describe("example/payments", () => {
  it("passes 100 seeds", () => {
    for (let seed = 1; seed <= 100; seed++)
      assert.deepStrictEqual(run(seed, true).verdict, { _tag: "passed" }, `seed ${seed}`)
  })

  it("a server that does not remember is found out, and the same seed finds it again with the same digest", () => {
    const seeds = Array.from({ length: 100 }, (_, index) => index + 1)
    const found = seeds.find((seed) => run(seed, false).verdict._tag === "violated")
    assert.isDefined(found)
    const [once, twice] = [run(found, false), run(found, false)]
    assert.strictEqual(once.verdict._tag === "violated" && once.verdict.invariant, "charged-once")
    assert.strictEqual(twice.digest, once.digest)
  })
})

describe("the README", () => {
  it("shows the scenario, the invariant and the steering as they are", () => {
    const read = (file: string) => readFileSync(new URL(file, import.meta.url), "utf8")
    const blocks = [...read("../../README.md").matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block as string)
    const [scenario = "", invariant = "", steering = ""] = blocks
    assert.isNotEmpty(steering)
    assert.include(read("payments.ts"), scenario)
    assert.include(read("payments.ts"), invariant)
    const lines = read("payments.test.ts").split("\n")
    for (const line of steering.trim().split("\n")) {
      assert.isTrue(
        lines.some((present) => present.trim() === line.trim()),
        line
      )
    }
  })
})
