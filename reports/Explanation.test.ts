import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "../core/facts/Envelope.ts"
import type { Fault } from "../sim/nemesis/FaultPlan.ts"
import type { RunResult, Verdict } from "../sim/run/Verdict.ts"
import type { FaultNeed } from "../sim/shrink/Necessity.ts"
import * as Explanation from "./Explanation.ts"

const pause: Fault = { when: { at: "50s" }, target: "n1", fault: "process/pause", for: "5s" }

const small = (faults: ReadonlyArray<Fault>, operations?: ReadonlyArray<string>) =>
  ({ plan: { version: 1, faults }, request: operations === undefined ? {} : { operations } }) as unknown as RunResult

const fact = (id: number, cause: number, node: string, what: object): Envelope => ({
  id,
  cause,
  node,
  atMicros: id * 1_000_000,
  incarnation: 1,
  fact: what as Envelope["fact"]
})

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
    assert.deepStrictEqual(Explanation.needs(small([pause], ["client-1-3"]), [need], { operations: 9 }), [
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
    assert.deepStrictEqual(Explanation.needs(small([]), [], { operations: 9 }), ["no fault: it fails by itself"])
    assert.deepStrictEqual(Explanation.needs(small([pause], []), undefined, { operations: 9 }), [
      "1. process/pause on n1 at 50s for 5s",
      "no operation of a client"
    ])
  })

  it("says nothing of operations where the program asks for none", () =>
    assert.deepStrictEqual(Explanation.needs(small([pause], []), undefined, { operations: 0 }), [
      "1. process/pause on n1 at 50s for 5s"
    ]))

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

describe("how it came about, where the evidence names nothing that is unmistakable", () => {
  it("shows what has the same value under the same name, as the first of two charges, and not the same value elsewhere", () => {
    const facts = [
      fact(1, 0, "server", { _tag: "Charged", shop: "corner", order: "6" }),
      fact(2, 0, "server", { _tag: "Charged", shop: "corner", order: "61" }),
      fact(3, 0, "server", { _tag: "Counted", orders: "6" }),
      fact(4, 0, "client", { _tag: "Asked" }),
      fact(5, 4, "server", { _tag: "Charged", shop: "corner", order: "6", answer: "late" })
    ]
    const verdict: Verdict = {
      _tag: "violated",
      invariant: "charged-once",
      message: "",
      evidence: { shop: "corner", order: "6", times: 2, answer: "late" },
      factId: 5,
      atMicros: 5
    }
    assert.deepStrictEqual(
      Explanation.story(facts, verdict).map((line) => line.replaceAll(/ +/g, " ").trim()),
      [
        "1.000 s server Charged shop=corner order=6",
        "→ 4.000 s client Asked",
        "→ 5.000 s server Charged shop=corner order=6 answer=late"
      ]
    )
  })
})

describe("how it came about, where nothing came about", () => {
  const beats = (from: number, count: number) =>
    Array.from({ length: count }, (_, nth) => fact(from + nth, 0, "agent-1", { _tag: "Heard", of: "box-1" }))
  const facts = [
    fact(1, 0, "n1", { _tag: "Wanted", box: "box-1" }),
    ...beats(2, 9),
    fact(11, 0, "n2", { _tag: "Wanted", box: "box-2" }),
    fact(12, 0, "n1", { _tag: "Moved", box: "box-1" })
  ]
  const stalled: Verdict = {
    _tag: "stalled",
    reason: "not converged within 180 s: instance box-1: RUNNING, to be gone",
    waiting: [],
    atMicros: 20_000_000
  }

  it("tells of what the reason names, what comes again and again in short, and that there was no more", () =>
    assert.deepStrictEqual(
      Explanation.story(facts, stalled).map((line) => line.replaceAll(/ +/g, " ").trim()),
      [
        "1.000 s n1 Wanted box=box-1",
        "2.000 s agent-1 Heard of=box-1",
        "3.000 s agent-1 Heard of=box-1",
        "… 6 more like these",
        "10.000 s agent-1 Heard of=box-1",
        "12.000 s n1 Moved box=box-1",
        "nothing else speaks of box-1 until the end, at 20.000 s"
      ]
    ))

  it("says so where nothing ever did", () =>
    assert.deepStrictEqual(
      Explanation.story(facts, { ...stalled, reason: "resource of box-77: nobody owns it" }).map((line) => line.trim()),
      ["nothing speaks of box-77 until the end, at 20.000 s"]
    ))
})

describe("how it came about, where one node is accused", () => {
  it("shows what that node did last, though another's fact showed it", () => {
    const facts = [
      ...Array.from({ length: 9 }, (_, nth) => fact(1 + nth, 0, "n2", { _tag: "Worked", nth })),
      fact(10, 0, "n1", { _tag: "Renewed" })
    ]
    const verdict: Verdict = {
      _tag: "violated",
      invariant: "lease-overrun",
      message: "",
      evidence: { node: "n2" },
      factId: 10,
      atMicros: 10
    }
    const lines = Explanation.story(facts, verdict).map((line) => line.replaceAll(/ +/g, " ").trim())
    assert.deepStrictEqual(lines.at(-1), "→ 10.000 s n1 Renewed")
    assert.deepStrictEqual(
      lines.slice(0, -1),
      [4, 5, 6, 7, 8, 9].map((at) => `${at}.000 s n2 Worked nth=${at - 1}`)
    )
  })
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
