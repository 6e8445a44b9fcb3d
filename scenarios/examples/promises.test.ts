import { assert, describe, it } from "@effect/vitest"
import { simTest } from "../../adapters/vitest/simTest.ts"
import { runApart } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import { oversold, reserved } from "./promises.ts"

const run = (seed: number) =>
  runApart(oversold, { scenario: oversold.name, seed: String(seed), strategy: "random" }, { kinds: faultKinds })

describe("a shop in plain JavaScript with promises", () => {
  it("that waits between its look and its sale is found out within 50 seeds, again with the same digest", async () => {
    let found = 0
    for (let seed = 1; found === 0 && seed <= 50; seed++) {
      const { verdict } = await run(seed)
      if (verdict._tag === "violated" && verdict.invariant === "never-oversold") found = seed
    }
    assert.isAbove(found, 0)
    const [once, other, again] = [await run(found), await run(found + 1), await run(found)]
    assert.strictEqual(again.digest, once.digest)
    assert.deepStrictEqual(again.verdict, once.verdict)
    assert.notStrictEqual(other.digest, once.digest)
  })

  simTest("that reserves before it waits sells no more than it has", reserved, { seeds: 10 })
})
