/** Histories out of facts: what they show, what points at it, and what is left open or undecided. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { DomainFact } from "../facts/Facts.ts"
import { check } from "../history/Linearizability.ts"
import { type Input, lock, type Output } from "../history/models/Lock.ts"
import type { Operation } from "../history/Model.ts"
import * as Register from "../history/models/Register.ts"
import { Recorder } from "../history/Recorder.ts"
import type { LeasesAsked, LeasesTold } from "../lease/LeaseFacts.ts"
import type { Judgement } from "./Invariant.ts"
import { leasesLinearizable } from "./leasesLinearizable.ts"
import { linearizable } from "./linearizable.ts"
import { clockSet, commit, envelopes, type Line, micros } from "./Story.fixture.ts"

const judged = (lines: ReadonlyArray<Line>): Judgement => {
  const judge = leasesLinearizable.start()
  for (const envelope of envelopes(lines)) assert.isUndefined(judge.step(envelope))
  return judge.end!()
}
const said = (lines: ReadonlyArray<Line>): string => judged(lines).violation?.message ?? "holds"

const asks = (
  node: string,
  ask: number,
  what: LeasesAsked["what"],
  epoch: number,
  seconds: number,
  lease = "leader"
): Line => {
  const leases = [{ lease, epoch }]
  const fact: LeasesAsked = { _tag: "LeasesAsked", ask, what, holder: `${node}/1`, durationMicros: micros(6), leases }
  return [seconds, node, fact]
}
const hears = (
  node: string,
  ask: number,
  granted: number | "refused" | "nothing",
  seconds: number,
  lease = "leader"
): Line => {
  const fences = typeof granted === "number" ? [{ lease, epoch: granted }] : []
  const fact: LeasesTold = { _tag: "LeasesTold", ask, granted: granted === "nothing" ? null : fences }
  return [seconds, node, fact]
}
const writes = (epoch: number, seconds: number): Line => [
  seconds,
  "database",
  commit("instance/set", [], [{ lease: "leader", epoch }])
]

describe("a lease as its nodes see it", () => {
  const clock = clockSet(0, 100)
  const boots: Line = [0.5, "database", commit("boot", [])]
  const held = [clock, asks("n1", 1, "acquire", 0, 1), hears("n1", 1, 1, 1.01), writes(1, 1.02)]

  it("holds where it is kept, refused to others, taken over after its time, and used by who has it", () =>
    assert.strictEqual(
      said([
        ...held,
        asks("n1", 2, "renew", 1, 3),
        asks("n2", 1, "acquire", 0, 3),
        hears("n1", 2, 1, 3.01),
        hears("n2", 1, "refused", 3.02),
        asks("n2", 2, "acquire", 0, 9.02),
        hears("n2", 2, 2, 9.03),
        writes(2, 9.04),
        asks("n1", 3, "renew", 1, 9.05),
        hears("n1", 3, "refused", 9.06)
      ]),
      "holds"
    ))

  it("finds a take-over before its time, by the store's clock, and points at who was told of it", () => {
    const { violation } = judged([...held, asks("n2", 1, "acquire", 0, 5), hears("n2", 1, 2, 5.5)])
    assert.include(
      violation?.message,
      'of lease "leader" explains "acquire for 6 → token 2 (n2/1)", when "the lock is held'
    )
    assert.deepStrictEqual(violation?.shownBy, { id: 6, atMicros: micros(5.5) })
    assert.deepStrictEqual(Object.keys(violation?.evidence ?? {}), ["unexplained", "before", "state", "open"])
  })

  it("finds a write under the fence of one who was deposed", () =>
    assert.include(
      said([...held, asks("n2", 1, "acquire", 0, 8), hears("n2", 1, 2, 8.01), writes(1, 8.02)]),
      '"use 1 → accepted (instance/set)"'
    ))

  it("is judged before the end too, when the facts have become many: it points at the same answer", () => {
    const broken = [...held, asks("n2", 1, "acquire", 0, 5), hears("n2", 1, 2, 5.5)]
    const others = Array.from({ length: 1_100 }, (_, nth): Line => [6 + nth, "database", commit("other", [])])
    const judge = leasesLinearizable.start()
    const steps = envelopes([...broken, ...others]).map((envelope) => judge.step(envelope))
    assert.deepStrictEqual(
      steps.flatMap((violation, nth) => (violation === undefined ? [] : nth + 1)),
      [1_024]
    )
    assert.deepStrictEqual(steps[1_023], judged(broken).violation)
  })

  it("finds a renewal that is refused to who has it still", () =>
    assert.include(said([...held, asks("n1", 2, "renew", 1, 3), hears("n1", 2, "refused", 3.01)]), '"renew 1 for 6'))

  it("believes whatever may have come of an answer that was lost, and nothing of what certainly failed", () => {
    const taken = [asks("n2", 2, "renew", 2, 9), hears("n2", 2, 2, 9.01)]
    const lost = [...held, asks("n2", 1, "acquire", 0, 7.1)]
    assert.strictEqual(said([...lost, ...taken]), "holds")
    assert.include(said([...lost, hears("n2", 1, "nothing", 7.2), ...taken]), '"renew 2 for 6')
  })

  it("says nothing of times once the store's clock was set, and of the order all the same", () => {
    const jump = clockSet(2, 130, 28)
    const early = [asks("n2", 1, "acquire", 0, 3), hears("n2", 1, 2, 3.01)]
    assert.notStrictEqual(said([...held, ...early]), "holds")
    assert.strictEqual(said([...held, writes(1, 1.5), jump, ...early]), "holds")
    assert.include(said([...held, jump, ...early, writes(1, 3.02)]), '"use 1 → accepted')
  })

  it("of several leases tells of the one whose violation shows first", () => {
    const early = (lease: string, seconds: number) => [
      asks("n1", seconds, "acquire", 0, seconds, lease),
      hears("n1", seconds, 1, seconds + 0.01, lease),
      asks("n2", seconds, "acquire", 0, seconds + 0.5, lease),
      hears("n2", seconds, 2, seconds + 0.51, lease)
    ]
    const {
      decided,
      judged: all,
      violation
    } = judged([clock, boots, ...early("b", 4), ...early("a", 2)].toSorted(([one], [other]) => one - other))
    assert.include(violation?.message, 'lease "a"')
    assert.deepStrictEqual([all, decided], [2, 2])
  })
})

describe("renewals that say no more than a later one", () => {
  /** Nodes that ask at random for one lease, a store that answers by the rules and now and then against them. */
  const step = fc.record({
    node: fc.constantFrom("n1", "n2"),
    what: fc.constantFrom(
      "acquire",
      "acquire",
      "renew",
      "renew",
      "release",
      "use",
      "use",
      "tell",
      "tell",
      "tell",
      "tell"
    ),
    pause: fc.constantFrom(0.1, 0.5, 2, 4),
    lie: fc.nat({ max: 7 })
  })
  const stories = fc.array(step, { minLength: 8, maxLength: 30 }).map((steps) => {
    const lines: Array<Line> = [clockSet(0, 100), [0, "database", commit("boot", [])]]
    let now = 1
    let [holder, epoch, until] = ["", 0, 0]
    const known = new Map<string, number>()
    const open: Array<{
      node: string
      ask: number
      what: LeasesAsked["what"]
      epoch: number
      answer: number | "refused"
    }> = []
    let count = 0
    for (const { lie, node, pause, what } of steps) {
      now += pause
      if (what === "tell") {
        const told = open.shift()
        if (told === undefined) continue
        if (told.what === "acquire" && typeof told.answer === "number") known.set(told.node, told.answer)
        if (lie !== 3) lines.push(hears(told.node, told.ask, told.answer, now))
      } else if (what === "use") {
        const used = lie === 0 ? epoch - 1 : epoch
        if (used > 0) lines.push(writes(used, now))
      } else {
        const token = what === "acquire" ? 0 : (known.get(node) ?? 0)
        if (what !== "acquire" && token === 0) continue
        lines.push(asks(node, ++count, what, token, now))
        const isOwn = holder === node && token === epoch
        let answer: number | "refused" = "refused"
        if (what === "acquire" && (now >= until || holder === node || lie === 1)) {
          ;[holder, epoch, until] = [node, epoch + 1, now + 6]
          answer = epoch
        } else if (what === "renew" && isOwn && now < until && lie !== 2) {
          until = now + 6
          answer = token
        } else if (what === "release" && isOwn && now < until) {
          until = now
          answer = token
        }
        open.push({ node, ask: count, what, epoch: token, answer })
      }
    }
    return lines
  })

  /** Each call and each use by itself. */
  const naive = (lines: ReadonlyArray<Line>): ReadonlyArray<Operation<Input, Output>> => {
    const all = envelopes(lines)
    const seconds = (atMicros: number, slack: number) => (atMicros + slack) / 1_000_000
    return all.flatMap(({ atMicros, fact, id, node }): ReadonlyArray<Operation<Input, Output>> => {
      const process = node
      if (fact._tag === "Committed") {
        const { fences } = fact as DomainFact & { readonly fences: ReadonlyArray<{ readonly epoch: number }> }
        const times = { called: seconds(atMicros, -2), returned: seconds(atMicros, 2) }
        return fences.map(({ epoch: token }) => ({
          process,
          input: { _tag: "Use", token },
          output: true,
          called: id,
          returned: id,
          times
        }))
      }
      if (fact._tag !== "LeasesAsked") return []
      const { ask, holder, leases, what } = fact as LeasesAsked
      const token = leases[0]!.epoch
      const input: Input =
        what === "acquire"
          ? { _tag: "Acquire", holder, lifetime: 6 }
          : what === "renew"
            ? { _tag: "Renew", holder, token, lifetime: 6 }
            : { _tag: "Release", holder, token }
      const told = all.find(
        ({ fact, node: other }) => fact._tag === "LeasesTold" && other === node && (fact as LeasesTold).ask === ask
      )
      const granted = (told?.fact as LeasesTold | undefined)?.granted as
        | ReadonlyArray<{ readonly epoch: number }>
        | undefined
      const given = granted?.[0]?.epoch
      const output = told === undefined ? undefined : what === "acquire" ? (given ?? false) : given !== undefined
      const times = {
        called: seconds(atMicros, -2),
        returned: told === undefined ? Infinity : seconds(told.atMicros, 2)
      }
      return [{ process, input, output, called: id, returned: told?.id ?? Infinity, times }]
    })
  }

  it("are left out, and the verdict is that on all of them", () => {
    const seen = { holds: 0, broken: 0 }
    fc.assert(
      fc.property(stories, (lines) => {
        const { _tag } = check(lock, naive(lines))
        const holds = judged(lines).violation === undefined
        assert.strictEqual(holds, _tag === "Linearizable")
        seen[holds ? "holds" : "broken"]++
      }),
      { numRuns: 2_000 }
    )
    assert.isAbove(Math.min(seen.holds, seen.broken), 60, JSON.stringify(seen))
  })
})

describe("a history that cannot be judged", () => {
  interface Told extends DomainFact {
    readonly _tag: "Wrote" | "Heard"
    readonly value: number
  }
  /** One register, of which every write is called at once and read only then. */
  const registers = (operationsMax: number) =>
    linearizable({
      name: "registers-linearizable",
      states: "",
      object: "register",
      model: Register.register({ initial: 0 }),
      start: () => {
        const recorder = new Recorder<Register.Input, Register.Output>(operationsMax)
        return {
          histories: () => recorder.histories(),
          step: ({ atMicros, fact, id }) => {
            const { _tag, value } = fact as Told
            if (_tag === "Wrote") recorder.call("x", "a", { _tag: "Write", value }, id, atMicros)
            if (_tag === "Heard") recorder.call("x", "b", { _tag: "Read" }, id, atMicros).answer(value, id, atMicros)
          }
        }
      }
    })
  const judge = (operationsMax: number, facts: ReadonlyArray<Told>) => {
    const judge = registers(operationsMax).start()
    for (const envelope of envelopes(facts.map((fact, at): Line => [at, "x", fact]))) judge.step(envelope)
    return judge.end!()
  }
  const wrote = (value: number): Told => ({ _tag: "Wrote", value })
  const heard = (value: number): Told => ({ _tag: "Heard", value })

  it("within its bounds is counted as undecided, and is no violation", () => {
    // Which of forty writes came before which is anybody's guess, and no guess ends with 0.
    const hard = Array.from({ length: 40 }, (_, index) => wrote(index + 1))
    const reads = Array.from({ length: 15 }, (_, index) => heard(15 - index))
    const { decided, judged, violation } = judge(1_000, [...hard, ...reads, heard(0)])
    assert.deepStrictEqual([judged, decided, violation], [1, 0, undefined])
  })

  it("because it is too long is cut: its beginning is judged, the rest is undecided", () => {
    const sound = [wrote(1), heard(1), heard(1)]
    assert.deepStrictEqual(judge(3, [...sound, heard(7)]), { violation: undefined, judged: 1, decided: 0 })
    assert.include(judge(3, [wrote(1), heard(7), heard(1), heard(1)]).violation?.message, "read → 7")
    assert.include(judge(9, [...sound, heard(7)]).violation?.message, "read → 7")
  })
})
