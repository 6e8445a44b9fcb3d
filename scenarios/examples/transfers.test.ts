import { assert, beforeAll, describe, it } from "@effect/vitest"
import { boot } from "../../adapters/cli/bootPglite.ts"
import { runHere } from "../../sim/host/runHere.ts"
import { faultKinds } from "../../sim/nemesis/faultKinds.ts"
import { RequestProblem } from "../../sim/run/Simulation.ts"
import type { Scenario } from "../../sim/run/Scenario.ts"
import * as ServiceScenario from "../../sim/services/ServiceScenario.ts"
import type { Databases } from "../../sim/storage/Databases.ts"
import * as TransferService from "./TransferService.ts"
import { transfers, transfersLookedUpBefore } from "./transfers.ts"

let databases: Databases
beforeAll(async () => {
  databases = await boot()
}, 60_000)

const run = (scenario: Scenario, seed: string) =>
  runHere(
    scenario,
    { scenario: scenario.name, seed, strategy: "random", storage: "pglite" },
    { kinds: faultKinds, databases }
  )

const calm = (scenario: Scenario): Scenario => ({ ...scenario, faults: () => ({ version: 1, faults: [] }) })

describe("a service of several processes on Postgres", () => {
  it("answers everything where nothing goes wrong, whatever its mistakes", () => {
    assert.deepStrictEqual(run(calm(transfersLookedUpBefore), "1").verdict, { _tag: "passed" })
  })

  it("whose key is looked up before the transaction moves money twice (seed 13), again and with the same digest", () => {
    const [first, again] = [1, 2].map(() => run(transfersLookedUpBefore, "13"))
    assert.deepInclude(first!.verdict, { _tag: "violated", invariant: "moved-once" })
    assert.deepStrictEqual(again!.verdict, first!.verdict)
    assert.strictEqual(again!.digest, first!.digest)
  })

  it("moves it once under the same faults where whoever writes the key moves it", () => {
    assert.deepStrictEqual(run(transfers, "13").verdict, { _tag: "passed" })
  })

  it("is told in one line what is wrong with its schema, or with what is observed", () => {
    const of = (setting: { readonly schema: string; readonly observe: Readonly<Record<string, string>> }) =>
      ServiceScenario.make({
        ...setting,
        invariants: [],
        name: "wrong",
        story: "",
        program: () => TransferService.serve({ looksUp: "within" }),
        ask: (key) => TransferService.transferByApi({ key, source: "a0", target: "a1", amount: 1 })
      })
    const { schema } = TransferService
    assert.throws(
      () => run(of({ schema: "create tabel accounts ()", observe: {} }), "1"),
      RequestProblem,
      'the schema: syntax error at or near "tabel"'
    )
    assert.throws(
      () => run(of({ schema, observe: { books: "select total from accounts" } }), "1"),
      RequestProblem,
      'the query books: column "total" does not exist'
    )
  })
})
