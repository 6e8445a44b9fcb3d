import * as fc from "fast-check"
import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "../../core/facts/Envelope.ts"
import { twoNodeLease } from "../../scenarios/examples/twoNodeLease.ts"
import { runHere } from "../host/runHere.ts"
import type { ChoicePoint } from "../kernel/ChoicePoint.ts"
import { faultKinds } from "../nemesis/faultKinds.ts"
import { type Fault, fromMicros } from "../nemesis/FaultPlan.ts"
import type { RunRequest } from "../run/Verdict.ts"
import { type Choice, keyOf, requestWith } from "./Choice.ts"
import { choicesOf } from "./choicesOf.ts"
import { usual } from "./Scale.ts"

const reference: RunRequest = {
  scenario: "example/two-node-lease",
  seed: "1",
  strategy: "fifo",
  isCalm: true,
  plan: { version: 1, faults: [] }
}

/** What the faults themselves tell. */
const ofFaults = new Set(["FaultActed", "FaultUndone", "FaultEffect", "NodeCrashed", "NodePaused", "ClockSet"])

const run = (request: RunRequest) => {
  const points: Array<ChoicePoint> = []
  const facts: Array<Envelope> = []
  const result = runHere(twoNodeLease, request, {
    kinds: faultKinds,
    onFact: (fact) => facts.push(fact),
    onChoicePoint: (point) => points.push(point)
  })
  /** Everything that happened, but for what the faults tell of themselves and for how facts are numbered. */
  const story = () =>
    facts
      .filter(({ fact }) => !ofFaults.has(fact._tag))
      .map(({ atMicros, fact, incarnation, node }) => `${atMicros} ${node}/${incarnation} ${JSON.stringify(fact)}`)
  return { result, points, facts, story }
}

const calm = run(reference)
const scale = twoNodeLease.scale ?? usual
const all = choicesOf({ points: calm.points, nodes: calm.result.nodes }, scale, 4_000_000)

const node = fc.constantFrom("n1", "n2", "database")
const moment = fc.integer({ min: 0, max: 50 })
const pointArbitrary: fc.Arbitrary<ChoicePoint> = fc.oneof(
  fc.record({ _tag: fc.constant("Acted" as const), atMicros: moment, node }),
  fc
    .record({ _tag: fc.constant("Packet" as const), atMicros: moment, source: node, target: node })
    .filter(({ source, target }) => source !== target),
  fc.record({
    _tag: fc.constant("Task" as const),
    atMicros: moment,
    name: fc.nat(30).map((nth) => `n1/1@${nth}`),
    count: fc.integer({ min: 2, max: 4 })
  }),
  fc.record({
    _tag: fc.constant("PortCall" as const),
    atMicros: moment,
    name: fc.nat(30).map((nth) => `n1/1#${nth}`),
    others: fc.nat(2)
  }),
  fc.record({
    _tag: fc.constant("Hazard" as const),
    atMicros: moment,
    kind: fc.constantFrom("network/loss", "network/reset", "network/latency-tail", "storage/deadlock"),
    occurrence: fc.nat(30).map((nth) => `n1>database/0/opener#${nth}`)
  })
)
/** As a run tells them: in order, and none twice. */
const observed = fc
  .uniqueArray(pointArbitrary, {
    selector: (point) =>
      JSON.stringify({
        ...point,
        ...("name" in point ? { atMicros: 0, count: 0, others: 0 } : {}),
        ...("occurrence" in point ? { atMicros: 0 } : {})
      }),
    maxLength: 60
  })
  .map((points) => ({
    points: points.toSorted((one, other) => one.atMicros - other.atMicros),
    nodes: { n1: ["process", "clock"], n2: ["process", "clock"], database: ["database", "clock"] }
  }))

describe("the choices that a run leaves open", () => {
  it("have names of their own, and come in the order of their moments", () => {
    fc.assert(
      fc.property(observed, (run) => {
        const { choices } = choicesOf(run, scale, 40)
        assert.strictEqual(new Set(choices.map(({ name }) => name)).size, choices.length)
        assert.deepStrictEqual(
          choices.map(({ atMicros }) => atMicros),
          choices.map(({ atMicros }) => atMicros).toSorted((one, other) => one - other)
        )
      })
    )
  })

  it("leave no moment out: between it and the one that stands for it, the node does not act", () => {
    fc.assert(
      fc.property(observed, fc.constantFrom("n1", "n2"), moment, (run, target, atMicros) => {
        const { choices } = choicesOf(run, scale, 100)
        const acts = run.points.filter((point) => point._tag === "Acted" && point.node === target)
        if (acts.length === 0) return
        const pauses = choices.filter(
          (choice) => choice.kind === "process/pause" && "fault" in choice && choice.fault.target === target
        )
        for (const millis of scale.outageMillis) {
          const stands = pauses.findLast(
            (choice) => choice.atMicros <= atMicros && choice.endMicros === choice.atMicros + millis * 1_000
          )
          assert.isDefined(stands)
          assert.isFalse(acts.some((act) => act.atMicros >= stands.atMicros && act.atMicros < atMicros))
        }
      })
    )
  })

  it("are those of a longer run as well, where it went the same way", () => {
    fc.assert(
      fc.property(observed, moment, moment, (run, one, other) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)]
        const names = (until: number) => new Set(choicesOf(run, scale, until).choices.map(({ name }) => name))
        const longer = names(more)
        // A bound that ends before the first packet knows no cut.
        assert.isTrue([...names(less)].every((name) => longer.has(name)))
      })
    )
  })

  it("are asked for in a request that says the same in whatever order", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...all.choices], { minLength: 2, maxLength: 3 }), (some) => {
        assert.strictEqual(keyOf(some), keyOf(some.toReversed()))
        const { deviations = [], plan } = requestWith(reference, some)
        assert.strictEqual((plan?.faults.length ?? 0) + deviations.length, some.length)
      })
    )
  })
})

/** The same fault at another moment of the same gap, and never undone: when it ends is no part of what is compared. */
const forEver = ({ fault, atMicros }: Extract<Choice, { fault: Fault }>): Fault => {
  const { for: _for, ...rest } = fault
  return { ...rest, when: { at: fromMicros(atMicros) } }
}

describe("what is left out of the choices of two nodes and one lease", { timeout: 60_000 }, () => {
  const kinds = [
    "storage/server-restart",
    "process/kill",
    "process/pause",
    "network/partition",
    "network/partition-one-way",
    "clock/jump",
    "network/clog"
  ]
  const events = all.choices.filter(
    (choice): choice is Extract<Choice, { fault: Fault }> =>
      "fault" in choice && kinds.includes(choice.kind) && "at" in choice.fault.when
  )

  it("cannot differ: a fault later in the same gap makes the same run", () => {
    let moved = 0
    fc.assert(
      fc.property(fc.constantFrom(...events), fc.integer({ min: 1, max: 100 }), (choice, percent) => {
        const like = events.filter(
          (other) =>
            other.kind === choice.kind &&
            other.fault.target === choice.fault.target &&
            other.fault.with === choice.fault.with
        )
        const next = like.find(({ atMicros }) => atMicros > choice.atMicros)
        if (next === undefined) return
        // The next gap begins a microsecond after the instant that ends this one, at which a fault comes before all else.
        const atMicros = choice.atMicros + Math.floor((percent / 100) * (next.atMicros - 1 - choice.atMicros))
        if (atMicros > choice.atMicros) moved++
        const story = (at: number) =>
          run({
            ...reference,
            untilMicros: 10_000_000,
            plan: { version: 1, faults: [forEver({ ...choice, atMicros: at })] }
          }).story()
        assert.deepStrictEqual(story(atMicros), story(choice.atMicros))
      }),
      { numRuns: 40 }
    )
    assert.isAbove(moved, 10)
  })

  it("is no stop of a node, which acts at once: at another moment of its gap it may make another run", () => {
    const stops = all.choices.filter(
      (choice): choice is Extract<Choice, { fault: Fault }> => "fault" in choice && choice.kind === "process/stop"
    )
    /** How much happens, whenever it does. */
    const facts = (choice: (typeof stops)[number], at: number) =>
      run({
        ...reference,
        untilMicros: 10_000_000,
        plan: { version: 1, faults: [forEver({ ...choice, atMicros: at })] }
      }).story().length
    const differs = stops.some((choice, index) => {
      const next = stops.slice(index + 1).find(({ fault }) => fault.target === choice.fault.target)
      const last = (next?.atMicros ?? 0) - 1
      return last > choice.atMicros && facts(choice, last) !== facts(choice, choice.atMicros)
    })
    assert.isTrue(differs)
    assert.isAbove(stops.length, 100)
  })

  it("is told of without changing the run", () => {
    const untold = runHere(twoNodeLease, reference, { kinds: faultKinds })
    assert.strictEqual(untold.digest, calm.result.digest)
    assert.isAbove(all.leftOut["between two steps"], 1_000)
  })
})
