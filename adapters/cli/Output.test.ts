import { assert, describe, it } from "@effect/vitest"
import { verdictTable } from "./Output.ts"
import type { Summary } from "./campaign/Summary.ts"

const summary = (decided: number): Summary => ({
  passed: 2,
  failed: 0,
  effects: {},
  scenarios: [
    {
      scenario: "calm",
      passed: 2,
      failed: 0,
      virtualSeconds: 10,
      faultKinds: 0,
      marks: {
        "a rare thing": { kind: "sometimes", visits: 9, holds: 1 },
        "leases-linearizable": { kind: "judged", visits: 66, holds: decided }
      }
    }
  ]
})

describe("the table of verdicts", () => {
  it("counts marks that were met, and no histories", () =>
    assert.match(verdictTable(summary(66)), /calm .* 10 s +0 +1$/))

  it("says which histories nobody could judge", () =>
    assert.include(verdictTable(summary(64)), "\nundecided: leases-linearizable in calm, 2 of 66 histories"))
})
