import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "../core/facts/Envelope.ts"
import type { Fault } from "../sim/nemesis/FaultPlan.ts"
import type { RunResult, Verdict } from "../sim/run/Verdict.ts"
import type { FaultNeed } from "../sim/shrink/Necessity.ts"
import * as Explanation from "./Explanation.ts"

const pause: Fault = { when: { at: "50s" }, target: "n1", fault: "process/pause", for: "5s" }

const small = (faults: ReadonlyArray<Fault>, operations?: ReadonlyArray<string>) =>
  ({ plan: { version: 1, faults }, request: operations === undefined ? {} : { operations } }) as unknown as RunResult

describe("what a small case takes", () => {
  it("is told fault by fault: what becomes of it without, earlier, later, shorter and elsewhere", () => {
    const need: FaultNeed = {
      entry: 0,
      fault: pause,
      isNecessary: true,
      beginsMicros: [49_000_000, 50_000_000],
      tooShortMicros: 2_500_000,
      trials: [
        { change: "removed", detail: "", effect: "passed", instead: "" },
        { change: "earlier", detail: "1s", effect: "same", instead: "" },
        { change: "earlier", detail: "2s", effect: "passed", instead: "" },
        { change: "later", detail: "0.1s", effect: "other", instead: "lease-rows" },
        { change: "shorter", detail: "2.5s", effect: "passed", instead: "" },
        { change: "elsewhere", detail: "n2", effect: "same", instead: "" },
        { change: "elsewhere", detail: "n3", effect: "void", instead: "" }
      ]
    }
    assert.deepStrictEqual(Explanation.needs(small([pause], ["client-1-3"]), [need]), [
      "1. process/pause on n1 at 50s for 5s",
      "   removed   passes",
      "   earlier   by 1s (from 49s) still fails, by 2s passes",
      "   later     by 0.1s fails otherwise (lease-rows)",
      "   shorter   for 2.5s passes",
      "   elsewhere on n2 still fails, on n3 cannot be",
      "operation client-1-3"
    ])
  })

  it("may be nothing, or not known in time", () => {
    assert.deepStrictEqual(Explanation.needs(small([]), []), ["no fault: it fails by itself"])
    assert.deepStrictEqual(Explanation.needs(small([pause], []), undefined), [
      "1. process/pause on n1 at 50s for 5s",
      "no operation of a client"
    ])
  })

  it.each<readonly [Fault, string]>([
    [
      { when: { from: "1s", until: "2s", rate: 0.125 }, target: "*", fault: "network/loss" },
      "network/loss on * from 1s until 2s, 13 % of the time"
    ],
    [
      { when: { from: "1s", until: "2s", rate: 1 }, target: "n1", with: "database", fault: "network/loss" },
      "network/loss on n1 and database from 1s until 2s"
    ],
    [
      { when: { struck: ["n1/a#1", "n1/a#2"] }, target: "*", fault: "process/kill-at-point" },
      "process/kill-at-point on * when it comes to n1/a#1, n1/a#2"
    ],
    [
      { name: "the clock leaps", when: { at: "3s" }, target: "n1", fault: "clock/jump", parameters: { millis: 40 } },
      "the clock leaps: clock/jump on n1 (millis 40) at 3s"
    ]
  ])("names the fault %j", (fault, expected) => assert.strictEqual(Explanation.faultText(fault), expected))
})

describe("how it came about", () => {
  const fact = (id: number, cause: number, node: string, what: object): Envelope => ({
    id,
    cause,
    node,
    atMicros: id * 1_000_000,
    incarnation: 1,
    fact: what as Envelope["fact"]
  })
  const facts = [
    fact(1, 0, "", {
      _tag: "FaultActed",
      fault: "process/pause",
      name: "process/pause",
      targets: ["n1"],
      others: [],
      forMicros: 5
    }),
    fact(2, 0, "n2", { _tag: "Chatter", about: "nothing" }),
    fact(3, 0, "n2", { _tag: "Took", lease: "buckets/7" }),
    fact(4, 1, "n1", { _tag: "TimerSet" }),
    fact(5, 4, "n1", { _tag: "Wrote", row: "seven" }),
    fact(6, 5, "n1", { _tag: "Acts", under: "seven" }),
    fact(7, 6, "n1", { _tag: "Afterwards" })
  ]
  const violated: Verdict = {
    _tag: "violated",
    invariant: "lease-exclusion",
    message: "",
    evidence: { lease: "buckets/7" },
    factId: 6,
    atMicros: 6
  }

  it("shows the chain of causes with arrows, the faults, and what speaks of the evidence; no timer, no chatter, nothing after", () =>
    assert.deepStrictEqual(
      Explanation.story(facts, violated).map((line) => line.replaceAll(/ +/g, " ")),
      [
        "→ 1.000 s · FAULT process/pause on n1",
        " 3.000 s n2 Took lease=buckets/7",
        "→ 5.000 s n1 Wrote row=seven",
        "→ 6.000 s n1 Acts under=seven"
      ]
    ))
})

describe("what became smaller", () => {
  const size = {
    faults: 23,
    faultSeconds: 9,
    operations: 93,
    preemptions: 4,
    virtualSeconds: 50,
    parameters: { nodes: 5 }
  }

  it("is said of what did", () => {
    const after = { ...size, faults: 1, operations: 1 }
    assert.strictEqual(Explanation.smaller(size, after), "23 faults → 1, 93 operations → 1")
    assert.strictEqual(Explanation.smaller(size, size), "nothing could be taken away")
  })
})
