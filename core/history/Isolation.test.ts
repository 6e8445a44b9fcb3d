/**
 * The isolation checker on histories in a tiny language, one transaction a line: `T1: ax1 rx[1,2] ry?` appends 1 to x, reads
 * x as [1 2], and never learnt y; `T1!` was aborted, `T1?` has an unknown outcome; `T1@a` is by a, `T1(3-5)` took from 3 to 5.
 */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Isolation from "./Isolation.ts"
import { type ListOperation, type ListTransaction, append, read } from "./ListAppend.ts"
import { serialStore, type SerialStore } from "./serialStore.fixture.ts"

const outcomes = { "": "committed", "!": "aborted", "?": "unknown" } as const

const parse = (script: string): ReadonlyArray<ListTransaction> =>
  script
    .trim()
    .split("\n")
    .map((line) => {
      const [, name, mark, process, called, returned, rest] =
        /^\s*(\w+)([!?]?)(?:@(\w+))?(?:\((\d+)-(\d+)\))?:(.*)$/.exec(line)!
      return {
        name: name!,
        ...(process === undefined ? {} : { process }),
        ...(called === undefined ? {} : { times: { called: Number(called), returned: Number(returned) } }),
        outcome: outcomes[mark as keyof typeof outcomes],
        operations: Array.from(rest!.matchAll(/a(\w)(\d+)|r(\w)(?:\[([\d,]*)\]|\?)/g), (found): ListOperation => {
          const [, appendKey, value, readKey, values] = found
          if (appendKey !== undefined) return append(appendKey, Number(value))
          return read(readKey!, values?.split(",").filter(Boolean).map(Number))
        })
      }
    })

const found = (script: string): ReadonlyArray<string> =>
  Isolation.check(parse(script)).anomalies.map(({ kind, transactions }) => `${kind} ${transactions.join(" ")}`)

const cases: ReadonlyArray<readonly [story: string, script: string, anomalies: ReadonlyArray<string>]> = [
  ["one after the other", "T1: ax1 ay1\nT2: rx[1] ax2\nT3: rx[1,2] ry[1]", []],
  ["what nobody read is not judged", "T1: ax1\nT2: ax2\nT3: rx[]", []],
  ["its own appends are seen after all that was there", "T1: ax1\nT2: ax2 rx[1,2]", []],
  ["dirty write: each overwrote the other", "T1: ax1 ay1\nT2: ax2 ay2\nT3: rx[1,2] ry[2,1]", ["G0 T1 T2"]],
  ["aborted read", "T1!: ax1\nT2: rx[1]", ["G1a T1 T2"]],
  ["an unknown outcome that was read took effect", "T1?: ax1\nT2: rx[1]", []],
  ["an unknown outcome that nobody read constrains nothing", "T1?: ax1 ry[]\nT2: ay1 rx[]\nT3: ry[1]", []],
  [
    "an unknown transaction that was read has read itself",
    "T1?: ax1 ry[]\nT2: ay1 rx[]\nT3: ry[1] rx[1]",
    ["G2-item T1 T2"]
  ],
  ["intermediate read", "T1: ax1 ax2\nT2: rx[1]\nT3: rx[1,2]", ["G1b T1 T2", "G-single T2 T1"]],
  ["circular information flow", "T1: ax1 ry[1]\nT2: ay1 rx[1]", ["G1c T1 T2"]],
  ["read skew: one half before, one half after", "T1: ax1 ay1\nT2: rx[] ry[1]\nT3: rx[1]", ["G-single T2 T1"]],
  ["lost update", "T1: rx[] ax1\nT2: rx[] ax2\nT3: rx[1,2]", ["G-single T2 T1"]],
  ["write skew", "T1: rx[] ay1\nT2: ry[] ax1\nT3: rx[1] ry[1]", ["G2-item T1 T2"]],
  [
    "long fork: two readers disagree about who came first",
    "T1: ax1\nT2: ay1\nT3: rx[1] ry[]\nT4: rx[] ry[1]",
    ["G-nonadjacent T3 T2 T4 T1"]
  ],
  ["an element twice in a list", "T1: ax1\nT2: rx[1,1]", ["duplicate T2"]],
  ["an element that nobody appended", "T1: rx[7]", ["unwritten T1"]],
  ["two orders of one list", "T1: ax1\nT2: ax2\nT3: rx[1,2]\nT4: rx[2,1]", ["incompatible-order T4 T3"]],
  ["its own append is not there", "T1: ax1 rx[]", ["internal T1"]],
  ["a client's second append comes before its first", "T1@a: ax1\nT2@a: ax2\nT3: rx[2,1]", ["G0-process T2 T1"]],
  ["a client reads what it appends only later", "T1@a: rx[1]\nT2@a: ax1", ["G1c-process T2 T1"]],
  ["a client does not read what it had appended", "T1@a: ax1\nT2@a: rx[]\nT3: rx[1]", ["G-single-process T2 T1"]],
  [
    "two clients who each append, and do not see the other's",
    "T1@a: ax1\nT2@a: ry[]\nT3@b: ay1\nT4@b: rx[]\nT5: rx[1] ry[1]",
    ["G-nonadjacent-process T2 T3 T4 T1"]
  ],
  [
    "write skew, one half of which is two transactions of a client",
    "T1@a: ay1\nT2@a: rx[]\nT3: ax1 ry[]\nT4: rx[1] ry[1]",
    ["G2-item-process T2 T3 T1"]
  ],
  ["what a client never learnt the end of may come after what it did next", "T1?@a: ax1\nT2@a: rx[]\nT3: rx[1]", []],
  ["what overlaps has no order", "T1(0-5): ax1\nT2(5-9): rx[]\nT3: rx[1]", []],
  ["a later append comes before an earlier", "T1(0-1): ax1\nT2(2-3): ax2\nT3: rx[2,1]", ["G0-realtime T2 T1"]],
  ["a read of what is appended later", "T1(0-1): rx[1]\nT2(2-3): ax1", ["G1c-realtime T2 T1"]],
  ["a stale read", "T1(0-1): ax1\nT2(2-3): rx[]\nT3(4-5): rx[1]", ["G-single-realtime T2 T1"]],
  [
    "a stale read long after, with others between",
    "T1(0-1): ax1\nT5(2-3): ay1\nT6(4-5): ry[1]\nT2(6-7): rx[]\nT3(8-9): rx[1]",
    ["G-single-realtime T2 T1"]
  ],
  [
    "long fork, one side of which is told by the clock",
    "T1(0-9): rx[] rz[1]\nT2(0-1): ax1\nT3(2-3): ry[]\nT4(0-9): ay1 az1\nT5: rx[1] ry[1] rz[1]",
    ["G-nonadjacent-realtime T1 T2 T3 T4"]
  ],
  [
    "write skew with somebody who was over before",
    "T1(0-1): ay1\nT2(2-9): rx[]\nT3(0-9): ax1 ry[]\nT4: rx[1] ry[1]",
    ["G2-item-realtime T2 T3 T1"]
  ]
]

describe("the isolation checker", () => {
  for (const [story, script, anomalies] of cases) it(story, () => assert.deepStrictEqual(found(script), anomalies))

  it("says in words why it cannot be", () => {
    const [anomaly] = Isolation.check(parse("T1: rx[] ay1\nT2: ry[] ax1\nT3: rx[1] ry[1]")).anomalies
    assert.deepStrictEqual(anomaly!.explanation, [
      "T1 came before T2: T1 read x as empty, and T2 appended 1 next.",
      "T2 came before T1: T2 read y as empty, and T1 appended 1 next.",
      "So T1 would have come before itself."
    ])
  })

  it("finds the shortest cycle of a component, and says when it did not look at all of it", () => {
    // A ring of five, each of whom reads what the next writes before it does, and a shorter way through T1 and T2.
    const ring = parse(
      "T1: ra[] ab1 rc[]\nT2: rb[] ac1 ad9\nT3: rc[] ad1\nT4: rd[9] ae1\nT5: re[] aa1\nT6: ra[1] rb[1] rc[1] rd[9,1] re[1]"
    )
    const { anomalies, undecided } = Isolation.check(ring)
    assert.deepStrictEqual(anomalies.find(({ kind }) => kind === "G2-item")?.transactions, ["T1", "T2"])
    assert.deepStrictEqual(undecided, [])
    assert.include(Isolation.check(ring, { searchSteps: 1 }).undecided, "G2-item")
  })

  it("forbids at each level what that level forbids", () => {
    const levels = (kind: Isolation.AnomalyKind) =>
      Isolation.isolationLevels.filter((level) => Isolation.forbids(level, kind))
    assert.deepStrictEqual(levels("G0"), [...Isolation.isolationLevels])
    assert.deepStrictEqual(levels("G1a"), ["read committed", "repeatable read", "serializable", "strict serializable"])
    assert.deepStrictEqual(levels("G-nonadjacent"), ["repeatable read", "serializable", "strict serializable"])
    assert.deepStrictEqual(levels("G2-item"), ["serializable", "strict serializable"])
    assert.deepStrictEqual(levels("G0-process"), ["strict serializable"])
    assert.deepStrictEqual(levels("G2-item-realtime"), ["strict serializable"])
  })

  it("finds nothing in what a serial store did, aborted and unknown transactions included", () =>
    fc.assert(
      fc.property(programs({ transactionsMax: 30, keys: ["x", "y", "z"] }), (programs) => {
        const store = new Map<string, ReadonlyArray<number>>()
        const history = programs.map(({ name, steps, outcome }): ListTransaction => {
          const own = new Map(store)
          const operations = steps.map((step): ListOperation => {
            if (step._tag === "Read") return read(step.key, own.get(step.key) ?? [])
            own.set(step.key, [...(own.get(step.key) ?? []), step.value])
            return step
          })
          if (outcome !== "aborted") for (const [key, values] of own) store.set(key, values)
          return { name, outcome, operations }
        })
        assert.deepStrictEqual(Isolation.check([...history, finalRead(store)]).anomalies, [])
      })
    ))

  it("calls a history clean if and only if some serial order explains it (up to five transactions, all orders tried)", () => {
    let dirty = 0
    fc.assert(
      fc.property(interleavings, (history) => {
        const { anomalies, undecided } = Isolation.check(history)
        assert.deepStrictEqual(undecided, [])
        const isSerializable = permutations(history.slice(0, -1)).some((order) => explains([...order, history.at(-1)!]))
        if (!isSerializable) dirty++
        assert.strictEqual(anomalies.length === 0, isSerializable, JSON.stringify(anomalies))
      }),
      { numRuns: 1_000 }
    )
    assert.isAbove(dirty, 100, "the property saw both sides")
  })

  it("says of orders in words whose they are", () => {
    const [ofClient] = Isolation.check(parse("T1@a: ax1\nT2@a: rx[]\nT3: rx[1]")).anomalies
    assert.include(ofClient!.explanation, "T1 came before T2: a did the one and then the other.")
    const [ofTime] = Isolation.check(parse("T1(0-1): ax1\nT2(2-3): rx[]\nT3: rx[1]")).anomalies
    assert.include(ofTime!.explanation, "T1 came before T2: the one was over when the other began.")
  })

  const orders: ReadonlyArray<
    readonly [
      what: string,
      of: (history: ReadonlyArray<ListTransaction>, drawn: number) => ReadonlyArray<ListTransaction>
    ]
  > = [
    ["of clients", (history, drawn) => history.map((one, at) => ({ ...one, process: (drawn >> at) & 1 ? "a" : "b" }))],
    [
      "of real time",
      (history, drawn) =>
        history.map((one, at) => {
          const called = (drawn >> (3 * at)) & 7
          return { ...one, times: { called, returned: called + ((drawn >> at) & 3) } }
        })
    ]
  ]
  for (const [what, ordered] of orders) {
    it(`calls a history clean if and only if some serial order that keeps to that ${what} explains it`, () => {
      const seen = { onlyOrdered: 0, clean: 0 }
      fc.assert(
        fc.property(interleavings, fc.nat({ max: 2 ** 15 - 1 }), (plain, drawn) => {
          const last = plain.at(-1)!
          const history = ordered(plain.slice(0, -1), drawn)
          const { anomalies, undecided } = Isolation.check([...history, last])
          assert.deepStrictEqual(undecided, [])
          const explained = permutations(history).filter((order) => explains([...order, last]))
          const isStrict = explained.some((order) => keepsOrder(order, history))
          if (isStrict) seen.clean++
          else if (explained.length > 0) seen.onlyOrdered++
          assert.strictEqual(anomalies.length === 0, isStrict, JSON.stringify(anomalies))
          const isPlain = (kind: string) => !/-(process|realtime)$/.test(kind)
          assert.strictEqual(
            anomalies.some(({ kind }) => isPlain(kind)),
            explained.length === 0
          )
        }),
        { numRuns: 1_000, endOnFailure: true }
      )
      assert.isAbove(Math.min(seen.onlyOrdered, seen.clean), 50, `the property saw both sides: ${JSON.stringify(seen)}`)
    })
  }

  it("finds each planted anomaly among thousands of transactions of a serial store, and nothing else", () => {
    const planted = cases.filter(([, , anomalies]) => anomalies.length === 1)
    assert.isAbove(planted.length, 20)
    for (const [story, script, [anomaly]] of planted) {
      // Lists and clients of its own, at a time of its own, in the middle of the others.
      const among = parse(script).map(({ operations, process, times, ...rest }) => ({
        ...rest,
        operations: operations.map((operation) => ({ ...operation, key: `planted ${operation.key}` })),
        ...(process === undefined ? {} : { process: `planted ${process}` }),
        ...(times === undefined ? {} : { times: { called: 20_000 + times.called, returned: 20_000 + times.returned } })
      }))
      const serial = lookedAt(serialStore(2_000))
      const history = [...serial.slice(0, 1_000), ...among, ...serial.slice(1_000)]
      const { anomalies } = Isolation.check(history)
      assert.deepStrictEqual(
        anomalies.map(({ kind, transactions }) => `${kind} ${transactions.join(" ")}`),
        [anomaly],
        story
      )
    }
  })

  it("judges 100,000 transactions of a serial store by twenty clients, real time and all", () => {
    const report = Isolation.check(lookedAt(serialStore(100_000)))
    assert.deepStrictEqual([report.anomalies, report.undecided], [[], []])
    assert.isAbove(report.dependencies, 250_000)
  })

  it("judges 100,000 transactions, a chain of them", () => {
    // Each transaction reads one of a thousand lists and appends to it, and reads another: all in one order.
    const history: Array<ListTransaction> = []
    const lists = new Map<string, Array<number>>()
    const listOf = (key: string) => lists.get(key) ?? lists.set(key, []).get(key)!
    for (let at = 0; at < 100_000; at++) {
      const key = `k${Math.floor(at / 20)}`
      const other = `k${Math.max(0, Math.floor(at / 20) - (at % 3))}`
      const operations = [read(other, listOf(other).slice()), read(key, listOf(key).slice()), append(key, at)]
      listOf(key).push(at)
      history.push({ name: `T${at}`, operations, outcome: "committed" })
    }
    history.push(finalRead(lists))
    const report = Isolation.check(history)
    assert.deepStrictEqual(report.anomalies, [])
    assert.isAbove(report.dependencies, 250_000)
  })
})

type Step = Extract<ListOperation, { _tag: "Append" }> | { readonly _tag: "Read"; readonly key: string }
interface Program {
  readonly name: string
  readonly steps: ReadonlyArray<Step>
  readonly outcome: ListTransaction["outcome"]
}

/** Transactions whose reads have no answers yet; elements are unique. */
function programs(options: { readonly transactionsMax: number; readonly keys: ReadonlyArray<string> }) {
  const step = fc.record({ key: fc.constantFrom(...options.keys), reads: fc.boolean() })
  const program = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 4 }),
    outcome: fc.constantFrom("committed", "committed", "committed", "aborted", "unknown")
  })
  return fc.array(program, { minLength: 1, maxLength: options.transactionsMax }).map((programs) => {
    let element = 0
    return programs.map(({ outcome, steps }, at): Program => ({
      name: `T${at + 1}`,
      outcome: outcome as ListTransaction["outcome"],
      steps: steps.map(({ key, reads }) => (reads ? { _tag: "Read", key } : { _tag: "Append", key, value: ++element }))
    }))
  })
}

/** Committed transactions whose steps took effect at once, in any order: every anomaly but aborted reads can come of it. */
const interleavings = fc
  .tuple(programs({ transactionsMax: 5, keys: ["x", "y"] }), fc.array(fc.nat({ max: 4 }), { maxLength: 20 }))
  .map(([programs, choices]) => {
    const store = new Map<string, ReadonlyArray<number>>()
    const done = programs.map((): Array<ListOperation> => [])
    const perform = (at: number): void => {
      const step = programs[at]?.steps[done[at]!.length]
      if (step === undefined) return
      const values = store.get(step.key) ?? []
      if (step._tag === "Append") store.set(step.key, [...values, step.value])
      done[at]!.push(step._tag === "Append" ? step : read(step.key, values))
    }
    for (const choice of choices) perform(choice % programs.length)
    for (const [at, { steps }] of programs.entries()) for (const _ of steps) perform(at)
    const history = programs.map(({ name }, at): ListTransaction => ({
      name,
      outcome: "committed",
      operations: done[at]!
    }))
    return [...history, finalRead(store)]
  })

/** With a last look at every list. */
function lookedAt({ history, lists }: SerialStore): ReadonlyArray<ListTransaction> {
  return [...history, finalRead(lists)]
}

/** Whether nobody comes before one that was over when it began, or that its client did before. */
function keepsOrder(order: ReadonlyArray<ListTransaction>, history: ReadonlyArray<ListTransaction>): boolean {
  return order.every((later, at) =>
    order.slice(0, at).every((earlier) => {
      if (later.process !== undefined && later.process === earlier.process) {
        return history.indexOf(earlier) < history.indexOf(later)
      }
      return later.times === undefined || earlier.times === undefined || later.times.returned >= earlier.times.called
    })
  )
}

function finalRead(store: ReadonlyMap<string, ReadonlyArray<number>>): ListTransaction {
  return {
    name: "last",
    outcome: "committed",
    operations: Array.from(store, ([key, values]) => read(key, values))
  }
}

/** Whether these transactions, run one after the other in this order, would have seen what they saw. */
function explains(order: ReadonlyArray<ListTransaction>): boolean {
  const store = new Map<string, ReadonlyArray<number>>()
  return order.every(({ operations }) =>
    operations.every((operation) => {
      const values = store.get(operation.key) ?? []
      if (operation._tag === "Append") {
        store.set(operation.key, [...values, operation.value])
        return true
      }
      return JSON.stringify(values) === JSON.stringify(operation.values)
    })
  )
}

function permutations<A>(of: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> {
  if (of.length === 0) return [[]]
  return of.flatMap((first, at) => permutations(of.filter((_, other) => other !== at)).map((rest) => [first, ...rest]))
}
