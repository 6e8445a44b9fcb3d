/** The search for one order, compared with trying all orders. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Linearizability from "./Linearizability.ts"
import type { Model, Operation } from "./Model.ts"
import * as Counter from "./models/Counter.ts"
import * as ElementSet from "./models/ElementSet.ts"
import { keyed, type KeyedInput } from "./models/Keyed.ts"
import * as Lock from "./models/Lock.ts"
import * as Once from "./models/Once.ts"
import * as Queue from "./models/Queue.ts"
import * as Register from "./models/Register.ts"
import * as VersionedRegister from "./models/VersionedRegister.ts"

const register = Register.register({ initial: 0 })

/** What may be asked, and all that may be answered to it. */
interface Kind<State, Input, Output> {
  readonly model: Model<State, Input, Output>
  readonly inputs: ReadonlyArray<NoInfer<Input>>
  readonly outputs: (input: NoInfer<Input>) => ReadonlyArray<NoInfer<Output>>
}

const two = [1, 2]
const registers: Kind<unknown, Register.Input, Register.Output> = kindOf({
  model: register,
  inputs: [
    { _tag: "Read" },
    { _tag: "Read" },
    ...two.map((value) => ({ _tag: "Write", value }) as const),
    { _tag: "CompareAndSet", from: 1, to: 2 },
    { _tag: "CompareAndSet", from: 2, to: 1 }
  ],
  outputs: ({ _tag }) => (_tag === "Read" ? [0, 1, 2] : _tag === "CompareAndSet" ? [true, false] : [null])
})

const texts: Kind<unknown, Register.Input, Register.Output> = kindOf({
  model: Register.register({ initial: "" }),
  inputs: [{ _tag: "Read" }, { _tag: "Append", text: "a" }, { _tag: "Append", text: "b" }],
  outputs: ({ _tag }) => (_tag === "Read" ? ["", "a", "b", "ab", "ba", "aa", "bb"] : [null])
})

const counters: Kind<unknown, Counter.Input, Counter.Output> = kindOf({
  model: Counter.counter,
  inputs: [{ _tag: "Read" }, { _tag: "Add", by: 1 }, { _tag: "Add", by: -1 }],
  outputs: ({ _tag }) => (_tag === "Read" ? [-1, 0, 1, 2] : [null, 0, 1])
})

const sets: Kind<unknown, ElementSet.Input, ElementSet.Output> = kindOf({
  model: ElementSet.elementSet,
  inputs: [
    { _tag: "Read" },
    ...two.flatMap((element) => (["Add", "Remove", "Has"] as const).map((_tag) => ({ _tag, element })))
  ],
  outputs: ({ _tag }) =>
    _tag === "Read" ? [[], [1], [2], [1, 2]] : _tag === "Has" ? [true, false] : [null, true, false]
})

const queues: Kind<unknown, Queue.Input, Queue.Output> = kindOf({
  model: Queue.queue,
  inputs: [...two.map((value) => ({ _tag: "Enqueue", value }) as const), { _tag: "Dequeue" }, { _tag: "Dequeue" }],
  outputs: ({ _tag }) =>
    _tag === "Enqueue" ? ["nothing"] : ["nothing", ...two.map((taken): Queue.Output => ({ taken }))]
})

const tokens = [1, 2, 3]
const locks = (lifetime: number | undefined): Kind<unknown, Lock.Input, Lock.Output> =>
  kindOf({
    model: Lock.lock,
    inputs: [
      { _tag: "Acquire", lifetime },
      { _tag: "Acquire", lifetime },
      ...tokens.flatMap((token) => [
        { _tag: "Renew", token, lifetime: undefined } as const,
        { _tag: "Release", token } as const,
        { _tag: "Use", token } as const
      ])
    ],
    outputs: ({ _tag }) => (_tag === "Acquire" ? [...tokens, false] : [true, false])
  })

/** Of two holders, who are told apart. */
const ownedLocks: Kind<unknown, Lock.Input, Lock.Output> = kindOf({
  model: Lock.lock,
  inputs: ["a", "b"].flatMap((holder) => [
    { _tag: "Acquire", holder, lifetime: undefined } as const,
    { _tag: "Acquire", holder, lifetime: undefined } as const,
    ...tokens.flatMap((token) => [
      { _tag: "Renew", holder, token, lifetime: undefined } as const,
      { _tag: "Release", holder, token } as const
    ])
  ]),
  outputs: ({ _tag }) => (_tag === "Acquire" ? [...tokens, false] : [true, false])
})

const versions: Kind<unknown, VersionedRegister.Input, VersionedRegister.Output> = kindOf({
  model: VersionedRegister.versionedRegister,
  inputs: [{ _tag: "Read" }, ...two.map((value) => ({ _tag: "Write", value }) as const)],
  outputs: ({ _tag }) =>
    [0, 1, 2, 3].flatMap((version) =>
      (version === 0 ? [null] : two).flatMap((value) => (_tag === "Write" && version === 0 ? [] : [{ version, value }]))
    )
})

const onces: Kind<unknown, Once.Input, Once.Output> = kindOf({
  model: Once.once,
  inputs: [{ request: "a" }, { request: "a" }, { request: "b" }],
  outputs: () => ["refused", { answer: 1 }, { answer: 2 }]
})

const maps: Kind<unknown, KeyedInput<Register.Input>, Register.Output> = kindOf({
  model: keyed(register),
  inputs: registers.inputs.flatMap((input) => ["x", "y"].map((key) => ({ key, input }))),
  outputs: ({ input }) => registers.outputs(input)
})

describe("the search for one order", () => {
  agrees("a register with compare-and-set", registers)
  agrees("a text that is appended to", texts)
  agrees("a counter", counters)
  agrees("a set", sets)
  agrees("a queue", queues)
  agrees("a lock, without times", locks(undefined))
  agrees("a lock that knows its holders", ownedLocks)
  agrees("a register that counts its changes", versions)
  agrees("what is done once", onces)
  agrees("two registers, judged apart", maps)
  agrees("two registers, judged as one", maps, { isWhole: true })

  it("says where the prefix ends that can be explained: with the answer it cannot, without it it can", () => {
    let refused = 0
    fc.assert(
      fc.property(histories(registers, 6), (history) => {
        const { model } = registers
        const verdict = Linearizability.check(model, history)
        if (verdict._tag !== "NotLinearizable") return
        refused++
        const end = verdict.unplaced.returned
        // What was answered later may still be left out, but gives no other answer.
        const known = history.filter(({ called }) => called <= end)
        assert.isTrue(isExplained(model, known, ({ returned }) => returned < end))
        assert.isFalse(isExplained(model, known, ({ returned }) => returned <= end))
        assert.notInclude(verdict.order, verdict.unplaced)
        assert.include(verdict.open, verdict.unplaced)
        const state = verdict.order.reduce<unknown>(
          (state, { input, output }) => (state === undefined ? undefined : model.step(state, input, output)),
          model.initial
        )
        assert.isTrue(state !== undefined && model.equals(state, verdict.state), "the order it shows is one")
      }),
      { numRuns: 1_000 }
    )
    assert.isAbove(refused, 100, "the property saw refusals")
  })

  it("accepts what a linearizable object did, hundreds of operations of it, a few at a time", () => {
    const accepts = <Input, Output>(kind: Kind<unknown, Input, Output>, operationsMin = 300) =>
      fc.assert(
        fc.property(simulations(kind, { operationsMax: operationsMin + 50, operationsMin, laterMin: 1 }), (history) => {
          const { _tag } = Linearizability.check(kind.model, history, { stepsMax: 1_000_000 })
          assert.strictEqual(_tag, "Linearizable")
        }),
        { numRuns: 20, endOnFailure: true }
      )
    accepts(registers)
    accepts(counters)
    accepts(sets)
    // Which of two that were put in side by side is first shows only when they are taken out, long after.
    accepts(queues, 30)
  })

  it("decides the same however often it is asked to go on", () => {
    fc.assert(
      fc.property(histories(maps, 8), fc.integer({ min: 1, max: 50 }), (history, steps) => {
        const search = new Linearizability.Search(maps.model, history)
        let verdict = search.advance(steps)
        while (verdict === undefined) verdict = search.advance(steps)
        assert.deepStrictEqual(verdict, Linearizability.check(maps.model, history))
        assert.deepStrictEqual(search.advance(1), verdict, "and stays by it")
      })
    )
  })

  it("does not keep a part that is soon refuted waiting for one that takes for ever", () => {
    const easy = [{ ...read("easy", 7), called: 0, returned: 1 }]
    const verdict = Linearizability.check(keyed(register), [...hard(18), ...easy], { stepsMax: 20_000 })
    assert.strictEqual(verdict._tag === "NotLinearizable" && verdict.part, "easy")
  })

  it("is undecided, and says why, where it is out of steps or of memory", () => {
    assert.deepStrictEqual(Linearizability.check(keyed(register), hard(18), { stepsMax: 1_000 }), {
      _tag: "Unknown",
      reason: "undecided after 1000 steps"
    })
    const search = new Linearizability.Search(keyed(register), hard(18), { memoryBytesMax: 2 ** 20 })
    let verdict = search.advance(1_000)
    while (verdict === undefined) {
      assert.isAtMost(search.progress.memoryBytes, 2 ** 20)
      verdict = search.advance(1_000)
    }
    assert.deepStrictEqual(verdict, { _tag: "Unknown", reason: "the search of hard needs more memory than 1 MB" })
    assert.strictEqual(search.progress.memoryBytes, 0, "what was given up is let go")
  })

  it("counts what large states hold, which is nearly all of what a search of them remembers", () => {
    const queue = keyed(Queue.queue)
    const enqueued = (
      value: number,
      called: number,
      returned: number
    ): Operation<KeyedInput<Queue.Input>, Queue.Output> => ({
      process: String(value),
      input: { key: "", input: { _tag: "Enqueue", value } },
      output: "nothing",
      called,
      returned
    })
    // A thousand in a row, and six at once in one of 720 orders; what comes out then nobody put in.
    const history = [
      ...Array.from({ length: 1_000 }, (_, value) => enqueued(value, 2 * value, 2 * value + 1)),
      ...Array.from({ length: 6 }, (_, nth) => enqueued(1_000 + nth, 2_000, 2_001)),
      {
        process: "0",
        input: { key: "", input: { _tag: "Dequeue" as const } },
        output: { taken: "what nobody put in" },
        called: 2_002,
        returned: 2_003
      }
    ]
    assert.strictEqual(Linearizability.check(queue, history)._tag, "NotLinearizable")
    // More than a thousand states with a thousand places of eight bytes.
    const reason = "the search needs more memory than 8 MB"
    assert.deepStrictEqual(Linearizability.check(queue, history, { memoryBytesMax: 8 * 2 ** 20 }), {
      _tag: "Unknown",
      reason
    })
  })

  it("takes an answer at the very moment of a call as overlapping it", () => {
    const write = { process: "0", input: { _tag: "Write", value: 1 } as const, output: null, called: 0, returned: 5 }
    const readsOld = { process: "1", input: { _tag: "Read" } as const, output: 0, called: 5, returned: 6 }
    assert.strictEqual(Linearizability.check(register, [write, readsOld])._tag, "Linearizable")
    const later = { ...readsOld, called: 5.5 }
    assert.strictEqual(Linearizability.check(register, [write, later])._tag, "NotLinearizable")
  })

  it("refuses an answer before its call, by name", () => {
    const backwards = { process: "n1", input: { _tag: "Read" } as const, output: 0, called: 2, returned: 1 }
    assert.throws(
      () => Linearizability.check(register, [backwards]),
      /read → 0 by n1 was answered before it was called/
    )
  })
})

describe("a lock whose history has times", () => {
  const timed = locks(3)

  it("is judged as if every moment were tried", () => {
    let refused = 0
    fc.assert(
      fc.property(histories(timed, 5), (history) => {
        const withTimes = history.map((one) => ({ ...one, times: { called: one.called, returned: one.returned } }))
        const isExplained = isExplainedAtSomeMoments(withTimes)
        if (!isExplained) refused++
        assert.strictEqual(Linearizability.check(Lock.lock, withTimes)._tag === "Linearizable", isExplained)
      }),
      { numRuns: 1_500 }
    )
    assert.isAbove(refused, 200, "the property saw both sides")
  })
})

/** The types of the states are nobody's business here. */
function kindOf<State, Input, Output>(kind: Kind<State, Input, Output>): Kind<unknown, Input, Output> {
  return kind as unknown as Kind<unknown, Input, Output>
}

function agrees<Input, Output>(
  name: string,
  kind: Kind<unknown, Input, Output>,
  options: Linearizability.Options = {}
): void {
  it(`agrees with trying all orders: ${name}`, () => {
    const seen = { explained: 0, refused: 0 }
    fc.assert(
      fc.property(histories(kind, 6), (history) => {
        const expected = isExplained(kind.model, history)
        seen[expected ? "explained" : "refused"]++
        const { _tag } = Linearizability.check(kind.model, history, options)
        assert.strictEqual(_tag, expected ? "Linearizable" : "NotLinearizable")
      }),
      { numRuns: 1_000 }
    )
    assert.isAbove(Math.min(seen.explained, seen.refused), 50, `the property saw both sides: ${JSON.stringify(seen)}`)
  })
}

/** What an object did, one operation at a time, each told with some time before and after; then one or two answers are changed. */
function histories<Input, Output>(kind: Kind<unknown, Input, Output>, operationsMax: number) {
  const change = fc.record({ at: fc.nat(), answer: fc.nat() })
  return fc.tuple(simulations(kind, { operationsMax }), fc.array(change, { maxLength: 2 })).map(([history, changes]) =>
    changes.reduce<ReadonlyArray<Operation<Input, Output>>>((history, { answer, at }) => {
      const place = at % history.length
      const one = history[place]!
      if (one.output === undefined) return history
      const outputs = kind.outputs(one.input)
      return history.with(place, { ...one, output: outputs[answer % outputs.length] })
    }, history)
  )
}

function simulations<Input, Output>(
  { inputs, model, outputs }: Kind<unknown, Input, Output>,
  options: { readonly operationsMax: number; readonly operationsMin?: number; readonly laterMin?: number }
) {
  const { laterMin = 0, operationsMax, operationsMin = 1 } = options
  const drawn = fc.record({
    input: fc.constantFrom(...inputs),
    later: fc.integer({ min: laterMin, max: 2 }),
    before: fc.nat({ max: 4 }),
    after: fc.nat({ max: 4 }),
    choice: fc.nat({ max: 5 }),
    isAnswered: fc.nat({ max: 5 }).map((number) => number > 0)
  })
  return fc
    .array(drawn, { minLength: operationsMin, maxLength: operationsMax })
    .map((all) => {
      let state = model.initial
      let now = 0
      return all.flatMap(
        ({ after, before, choice, input, isAnswered, later }, at): ReadonlyArray<Operation<Input, Output>> => {
          now += later
          const all = outputs(input)
          // The first that the object may give, from a drawn one on.
          const output = [...all.slice(choice % all.length), ...all].find(
            (one) => model.step(state, input, one) !== undefined
          )
          if (output === undefined) return []
          state = model.step(state, input, output)
          const called = now - before
          const process = String(at)
          if (!isAnswered && operationsMax < 10)
            return [{ process, input, output: undefined, called, returned: Infinity }]
          return [{ process, input, output, called, returned: now + after }]
        }
      )
    })
    .filter((history) => history.length > 0)
}

/** Whether some order of all that must be in it and any of the rest, which keeps to real time, gives these answers. */
function isExplained<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: ReadonlyArray<Operation<Input, Output>>,
  mustBe: (operation: Operation<Input, Output>) => boolean = ({ output }) => output !== undefined
): boolean {
  const from = (state: State, left: ReadonlyArray<Operation<Input, Output>>): boolean => {
    if (!left.some(mustBe)) return true
    return left.some((next) => {
      const others = left.filter((other) => other !== next)
      if (others.some(({ returned }) => returned < next.called)) return false
      const after = model.step(state, next.input, next.output)
      return after !== undefined && from(after, others)
    })
  }
  return from(model.initial, history)
}

/** A lock at each of its moments: whole numbers are enough, as all times are. */
function isExplainedAtSomeMoments(history: ReadonlyArray<Operation<Lock.Input, Lock.Output>>): boolean {
  const end = Math.max(...history.map(({ called, returned }) => (returned === Infinity ? called : returned))) + 8
  type Held = { readonly token: number; readonly below: number; readonly isKnown: boolean; readonly until: number }
  const from = (now: number, held: Held, isHeld: boolean, left: typeof history): boolean => {
    if (left.every(({ output }) => output === undefined)) return true
    return left.some((next) => {
      const others = left.filter((other) => other !== next)
      if (others.some(({ returned }) => returned < next.called)) return false
      for (let at = Math.max(now, next.called); at <= Math.min(next.returned, end); at++) {
        const { input, output } = next
        const lifetime = 3
        if (input._tag === "Acquire") {
          if (output === false) {
            if (isHeld && at <= held.until && from(at, held, isHeld, others)) return true
            continue
          }
          if (isHeld && at < held.until) continue
          const highest = held.isKnown ? held.token : held.below
          if (typeof output === "number" && output <= highest) continue
          const token = typeof output === "number" ? output : Number.NaN
          const granted = { token, below: highest, isKnown: typeof output === "number", until: at + lifetime }
          if (from(at, granted, true, others)) return true
          continue
        }
        const isNewest = held.isKnown ? input.token === held.token : input.token > held.below
        if (output === false) {
          if ((!isNewest || !isHeld || at >= held.until) && from(at, held, isHeld, others)) return true
          continue
        }
        if (!isNewest || (!isHeld && input._tag !== "Use")) continue
        const known = { ...held, token: input.token, isKnown: true }
        if (input._tag === "Use" && from(at, known, isHeld, others)) return true
        if (input._tag === "Release" && from(at, known, false, others)) return true
        if (input._tag === "Renew" && from(at, { ...known, until: at + lifetime }, true, others)) return true
      }
      return false
    })
  }
  const free = { token: -Infinity, below: -Infinity, isKnown: true, until: 0 }
  return from(-Infinity, free, false, history)
}

function read(key: string, output: number) {
  return { process: key, input: { key, input: { _tag: "Read" } as const }, output }
}

/** So many writes at once, and a read of what none of them wrote: every subset and each last one is a place to be. */
function hard(writes: number) {
  const all = Array.from({ length: writes }, (_, at) => ({
    process: String(at),
    input: { key: "hard", input: { _tag: "Write", value: at } as const },
    output: null,
    called: 0,
    returned: 10
  }))
  return [...all, { ...read("hard", -1), called: 1, returned: 9 }]
}
