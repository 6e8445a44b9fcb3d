/** Runs as a program would make them: what a pair of scenario and seed comes to is a function of the pair. */
import * as fc from "fast-check"
import type { Verdict } from "../../../sim/run/Verdict.ts"
import { violationOf } from "../../../sim/shrink/violationOf.ts"
import type { Campaign } from "./Campaign.ts"
import type { CampaignRun } from "./CampaignRun.ts"

export const scenarios = ["calm", "everything", "./my/scenario.ts"] as const

export const campaign: Campaign = {
  _tag: "Campaign",
  version: 1,
  versions: { stormglass: "0.1.0", effect: "4.1.0", node: "24.0.0", v8: "13.6" },
  program: "0123456789abcdef",
  scenarios,
  strategy: "random",
  storage: "model",
  plan: null,
  mutant: null
}

const verdict: fc.Arbitrary<Verdict> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Verdict>({ _tag: "passed" }) },
  fc.record({
    _tag: fc.constant("violated" as const),
    invariant: fc.constantFrom("charged-once", "one-leader"),
    message: fc.constantFrom("order 1 was charged twice", "order 2 was charged twice", 'a "line"\n and another'),
    evidence: fc.dictionary(fc.constantFrom("order", "node"), fc.string(), { maxKeys: 2 }),
    factId: fc.nat(),
    atMicros: fc.nat()
  }),
  fc.record({
    _tag: fc.constant("stalled" as const),
    reason: fc.constant("not converged: seven are missing"),
    waiting: fc.constant([{ node: "n1", fiber: "main", waitsFor: "a lock", on: "outside" as const, sinceMicros: 12 }]),
    atMicros: fc.nat()
  })
)

const outcome = fc
  .record({
    verdict,
    digest: fc.stringMatching(/^[0-9a-f]{16}$/),
    virtualMicros: fc.nat({ max: 20 }),
    steps: fc.nat({ max: 5 }),
    effects: fc.dictionary(fc.constantFrom("process/kill", "network/loss"), fc.integer({ min: 1, max: 9 })),
    marks: fc.dictionary(
      fc.constantFrom("brake engaged", "stored response replayed"),
      fc.record({ kind: fc.constant("sometimes" as const), visits: fc.nat(), holds: fc.nat() })
    )
  })
  .map((it) => ({ ...it, violation: violationOf(it.verdict) }))

/** Of every pair of these scenarios and as many seeds, once. */
export const program: fc.Arbitrary<ReadonlyArray<CampaignRun>> = fc.nat({ max: 6 }).chain((seeds) => {
  const pairs = Array.from({ length: seeds }, (_, index) => String(index + 7)).flatMap((seed) =>
    scenarios.map((scenario) => ({ scenario, seed }))
  )
  return fc.tuple(...pairs.map((pair) => outcome.map((it) => ({ ...pair, ...it, hostMillis: 3 }))))
})

/** The same runs as another machine makes them: only the time differs that they took there. */
export const elsewhere = (runs: ReadonlyArray<CampaignRun>): ReadonlyArray<CampaignRun> =>
  runs.map((run) => ({ ...run, hostMillis: run.hostMillis + 5 }))
