/** effect/cluster before and after the fix of https://github.com/Effect-TS/effect/issues/6508. */
import { afterAll, assert, describe, it } from "vitest"
import { runHere } from "../../sim/host/runHere.ts"
import { Supervisor } from "../../sim/host/Supervisor.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import type { RunRequest, RunResult } from "../../sim/run/Verdict.ts"
import { clusterEntity } from "./clusterEntity.ts"

const before = new Supervisor({
  catalogue: new URL("../catalogue.ts", import.meta.url),
  mutant: undefined,
  versions: [{ name: "effect", alias: "effect-beta", version: "4.0.0-beta.99", from: import.meta.url }],
  jobs: 1,
  runMillisMax: 60_000
})
afterAll(() => before.close())

const scenario = "scenarios/examples/clusterEntity.ts"
const drawn = (seed: string): RunRequest => ({ scenario, seed, strategy: "random" })
const runBefore = async (request: RunRequest): Promise<RunResult> => (await before.run(request, "plan")).result

describe("an entity whose runner hears nothing from its store for 54 s (seed 3)", () => {
  it("writes beside its successor on 4.0.0-beta.99, again and with the same digest, and not on 4.1.0", async () => {
    const now = runHere(clusterEntity, drawn("3"), { kinds: faultKinds })
    assert.strictEqual(now.verdict._tag, "passed")
    const given = { ...now.request, parameters: now.parameters, plan: now.plan! }
    const [first, other, again] = [await runBefore(given), await runBefore(drawn("1")), await runBefore(drawn("3"))]
    assert.deepInclude(first.verdict, { _tag: "violated", invariant: "no-stale-writes" })
    assert.strictEqual(other.verdict._tag, "passed")
    // What the seed draws is the same on both.
    assert.deepStrictEqual([again.plan, again.digest, again.verdict], [now.plan, first.digest, first.verdict])
    assert.notStrictEqual(now.digest, first.digest)
  })
})
