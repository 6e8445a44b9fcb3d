import { assert, describe, it } from "@effect/vitest"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import { runScenario } from "../../sim/run/Simulation.ts"
import { build, journal } from "./journal.ts"

describe(journal.name, () => {
  const run = (seed: number, isSynced: boolean) =>
    runScenario(
      { ...journal, build: (world) => build(world, { isSynced }) },
      { scenario: journal.name, seed: String(seed), strategy: "random" },
      { kinds: faultKinds }
    )
  const seeds = Array.from({ length: 100 }, (_, index) => index + 1)

  it("passes 100 seeds, and each seed has the same digest twice", () => {
    for (const seed of seeds) {
      const { digest, verdict } = run(seed, true)
      assert.deepStrictEqual(verdict, { _tag: "passed" }, `seed ${seed}`)
      if (seed <= 10) assert.strictEqual(run(seed, true).digest, digest)
    }
  })

  it("finds a journal that calls kept what it has not synced", () => {
    const verdicts = seeds.map((seed) => run(seed, false).verdict)
    assert.isTrue(verdicts.some((verdict) => verdict._tag === "violated" && verdict.invariant === "kept-is-read"))
  })
})
