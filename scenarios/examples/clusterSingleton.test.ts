import { assert, describe, it } from "@effect/vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import { clusterSingleton } from "./clusterSingleton.ts"

const run = (seed: string) =>
  runHere(clusterSingleton, { scenario: clusterSingleton.name, seed, strategy: "random" }, { kinds: faultKinds })

describe("a singleton of effect/cluster 4.1.0 under the usual faults", () => {
  it("is found to write after its successor has (seed 42), again and with the same digest", () => {
    const results = [run("42"), run("1"), run("42")]
    const [first, other, again] = results.map(({ verdict }) => verdict)
    assert.deepInclude(first, { _tag: "violated", invariant: "no-stale-writes" })
    assert.strictEqual(other?._tag, "passed")
    assert.deepStrictEqual(again, first)
    assert.strictEqual(results[2]!.digest, results[0]!.digest)
  })
})
