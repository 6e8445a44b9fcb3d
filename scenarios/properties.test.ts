import { mkdirSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as FailureFile from "../reports/FailureFile.ts"
import { headline } from "../reports/FailureScreen.ts"
import type { FaultKind } from "../sim/nemesis/FaultKind.ts"
import { faultKinds, kindsOf } from "../sim/nemesis/faultKinds.ts"
import type { Scenario } from "../sim/run/Scenario.ts"
import { runScenario } from "../sim/run/Simulation.ts"
import type { RunRequest } from "../sim/run/Verdict.ts"
import * as arbitraries from "./arbitraries.ts"
import { duplicatesAcrossNodes } from "./duplicatesAcrossNodes.ts"
import { leaderPausedInTheMiddle } from "./leaderPausedInTheMiddle.ts"

/** `STORMGLASS_SEEDS` widens every property of this file. */
const numRuns = Number(process.env["STORMGLASS_SEEDS"] ?? 25)

/** Passes, or fails with what broke and the line that replays the shrunk case. */
const holds = (scenario: Scenario, request: RunRequest): void => {
  const result = runScenario(scenario, request, { kinds: faultKinds })
  if (result.verdict._tag === "passed") return
  const file = `failures/property-${scenario.name.replaceAll("/", "-")}.json`
  mkdirSync("failures", { recursive: true })
  const versions = { stormglass: "", effect: "", node: process.versions.node, v8: process.versions.v8 }
  writeFileSync(file, JSON.stringify(FailureFile.make(result, versions, undefined), null, 2))
  assert.fail(`${headline(result.verdict)}\n  npx stormglass replay ${file}`)
}

const property = (scenario: Scenario, kinds: ReadonlyArray<FaultKind>) =>
  fc.assert(
    fc.property(arbitraries.request(scenario, kinds), (request) => holds(scenario, request)),
    { numRuns }
  )

describe("whatever the plan, the topology and the workload", () => {
  it("split brain: nobody acts under a lease that is another's, and no stale epoch writes", { timeout: 300_000 }, () =>
    property(leaderPausedInTheMiddle, kindsOf("network", "process", "clock/drift", "clock/skew"))
  )

  it("idempotency: one key has one effect and one answer", { timeout: 300_000 }, () =>
    property(
      duplicatesAcrossNodes,
      kindsOf("clients", "storage", "network/answer-lost", "network/duplication", "process/kill")
    )
  )
})
