import { assert, describe, it } from "@effect/vitest"
import type { Verdict } from "../run/Verdict.ts"
import { violationOf } from "./violationOf.ts"

const violated = (message: string, evidence: Readonly<Record<string, unknown>> = {}): Verdict => ({
  _tag: "violated",
  invariant: "lease-exclusion",
  message,
  evidence,
  factId: 1,
  atMicros: 2
})

describe("whether two failures are the same", () => {
  it("does not depend on who, which and when", () =>
    assert.strictEqual(
      violationOf(violated("n1#2 acts under lease bucket/7 while n3#1 still does", { holder: "n1#2" })),
      violationOf(violated("n5#1 acts under lease bucket/12 while n2#9 still does", { holder: "n5#1" }))
    ))

  it("depends on the invariant, the prose and what the evidence consists of", () => {
    const one = violationOf(violated("fleet f1 has an ordinal twice", { fleet: "f1" }))
    assert.notStrictEqual(one, violationOf(violated("fleet f1 has more than desired", { fleet: "f1" })))
    assert.notStrictEqual(one, violationOf(violated("fleet f1 has an ordinal twice", { fleet: "f1", live: 3 })))
    assert.notStrictEqual(one, violationOf({ _tag: "stalled", reason: "livelock: n1", waiting: [], atMicros: 0 }))
  })

  it("of stalls and crashes is told by what stalled and what was thrown, not by what is missing or where", () => {
    const stalled = (reason: string): Verdict => ({ _tag: "stalled", reason, waiting: [], atMicros: 0 })
    assert.strictEqual(
      violationOf(stalled("not converged within 180 s after the faults ended: fleet f1 has 2")),
      violationOf(stalled("not converged within 180 s after the faults ended: fleet f2 has 5"))
    )
    assert.notStrictEqual(violationOf(stalled("livelock: the fibers of n1")), violationOf(stalled("deadlock: nothing")))
    const crashed = (cause: string): Verdict => ({ _tag: "crashed", node: "n1", cause, atMicros: 0 })
    assert.strictEqual(
      violationOf(crashed("Error: no row 12\n  at a.ts:1")),
      violationOf(crashed("Error: no row 77\n  at b.ts:2"))
    )
  })

  it("a run that passed shows nothing", () => assert.strictEqual(violationOf({ _tag: "passed" }), ""))
})
