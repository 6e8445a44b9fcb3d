import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { reconcileBackoffMillisMax, reconcileBackoffMillisMin } from "../Limits.ts"
import { backoffMillis } from "./Backoff.ts"
import * as WorkQueue from "./WorkQueue.ts"

const settledAt = (nowMicros: number) => ({ nowMicros, fraction: 1 })

describe("WorkQueue", () => {
  it("hands out a key once, though it was added twice", () => {
    const queue = WorkQueue.make({ backoffMillisMax: reconcileBackoffMillisMax })
    WorkQueue.add(queue, "a", 0)
    WorkQueue.add(queue, "a", 0)
    assert.strictEqual(WorkQueue.take(queue, 0), "a")
    assert.isUndefined(WorkQueue.take(queue, 0))
  })

  it("gives a key that was added during its work one more turn, after it", () => {
    const queue = WorkQueue.make({ backoffMillisMax: reconcileBackoffMillisMax })
    WorkQueue.add(queue, "a", 0)
    WorkQueue.take(queue, 0)
    WorkQueue.add(queue, "a", 1)
    assert.isUndefined(WorkQueue.take(queue, 2))
    WorkQueue.settle(queue, "a", { _tag: "Done" }, settledAt(3))
    assert.strictEqual(WorkQueue.take(queue, 3), "a")
    WorkQueue.settle(queue, "a", { _tag: "Done" }, settledAt(4))
    assert.isUndefined(WorkQueue.nextMicros(queue))
  })

  it("does not let a poisoned key be hurried by those who add it", () => {
    const queue = WorkQueue.make({ backoffMillisMax: reconcileBackoffMillisMax })
    WorkQueue.add(queue, "poisoned", 0)
    WorkQueue.take(queue, 0)
    WorkQueue.settle(queue, "poisoned", { _tag: "Failed", afterMillis: 0 }, settledAt(0))
    WorkQueue.add(queue, "poisoned", 1)
    WorkQueue.add(queue, "healthy", 1)
    assert.strictEqual(WorkQueue.take(queue, 1), "healthy")
    assert.isUndefined(WorkQueue.take(queue, 1))
    assert.strictEqual(WorkQueue.nextMicros(queue), 5_000)
    assert.strictEqual(WorkQueue.take(queue, 5_000), "poisoned")
  })

  // covers A14
  it("doubles the backoff with each failure and forgets it with the first success", () => {
    const queue = WorkQueue.make({ backoffMillisMax: reconcileBackoffMillisMax })
    const waits: Array<number> = []
    WorkQueue.add(queue, "a", 0)
    for (let turn = 0; turn < 4; turn++) {
      WorkQueue.take(queue, 1e12)
      WorkQueue.settle(queue, "a", { _tag: "Failed", afterMillis: 0 }, settledAt(0))
      waits.push(WorkQueue.nextMicros(queue)! / 1_000)
    }
    assert.deepStrictEqual(waits, [5, 10, 20, 40])
    WorkQueue.take(queue, 1e12)
    WorkQueue.settle(queue, "a", { _tag: "Again", afterMillis: 0 }, settledAt(0))
    WorkQueue.take(queue, 1e12)
    WorkQueue.settle(queue, "a", { _tag: "Failed", afterMillis: 0 }, settledAt(0))
    assert.strictEqual(WorkQueue.nextMicros(queue), 5_000)
  })

  // covers A14
  it("backs off no longer than the limit, and no less than half of what is due", () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, fraction) => {
          const millis = backoffMillis(failures, { fraction, millisMax: reconcileBackoffMillisMax })
          assert.isAtMost(millis, reconcileBackoffMillisMax)
          assert.isAtLeast(
            millis,
            Math.min(reconcileBackoffMillisMax, reconcileBackoffMillisMin * 2 ** (failures - 1)) / 2
          )
        }
      )
    ))

  // covers A14
  it("never works on one key twice at a time and loses no key, whatever happens in whatever order", () => {
    const key = fc.constantFrom("a", "b", "c")
    const command = fc.oneof(
      fc.record({ _tag: fc.constant("add" as const), key }),
      fc.record({ _tag: fc.constant("take" as const), key }),
      fc.record({ _tag: fc.constant("done" as const), key }),
      fc.record({ _tag: fc.constant("failed" as const), key }),
      fc.record({ _tag: fc.constant("drop" as const), key })
    )
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const queue = WorkQueue.make({ backoffMillisMax: reconcileBackoffMillisMax })
        const working = new Set<string>()
        const owed = new Set<string>()
        let nowMicros = 0
        for (const { _tag, key } of commands) {
          nowMicros += 1_000
          if (_tag === "add") {
            WorkQueue.add(queue, key, nowMicros)
            owed.add(key)
          } else if (_tag === "take") {
            const taken = WorkQueue.take(queue, nowMicros)
            if (taken === undefined) continue
            assert.isFalse(working.has(taken))
            working.add(taken)
            owed.delete(taken)
          } else if (_tag === "drop") {
            WorkQueue.drop(queue, key)
            working.delete(key)
            owed.delete(key)
          } else if (working.delete(key)) {
            const outcome = _tag === "done" ? { _tag: "Done" as const } : { _tag: "Failed" as const, afterMillis: 0 }
            WorkQueue.settle(queue, key, outcome, { nowMicros, fraction: 0 })
            if (_tag === "failed") owed.add(key)
          }
        }
        for (const each of owed) assert.isTrue(queue.entries.has(each), `${each} was lost`)
      })
    )
  })

  const make = () => WorkQueue.make({ backoffMillisMax: reconcileBackoffMillisMax })

  it("hands out in the order in which the times come, and of equals the one added first", () => {
    const queue = make()
    for (const [key, atMicros] of [
      ["third", 30],
      ["first", 10],
      ["second", 20],
      ["also second", 20]
    ] as const) {
      WorkQueue.add(queue, key, atMicros)
    }
    assert.isUndefined(WorkQueue.take(queue, 9))
    assert.strictEqual(WorkQueue.nextMicros(queue), 10)
    const taken = [10, 20, 20, 30].map((nowMicros) => WorkQueue.take(queue, nowMicros))
    assert.deepStrictEqual(taken, ["first", "second", "also second", "third"])
    assert.isUndefined(WorkQueue.nextMicros(queue))
  })

  it("hands out the earliest of those that wait, of equals the one first added, whatever was dropped and put back meanwhile", () => {
    const key = fc.integer({ min: 0, max: 20 }).map(String)
    const afterMillis = fc.integer({ min: 0, max: 5 })
    const command = fc.record({ verb: fc.constantFrom("add", "take", "again", "drop"), key, afterMillis })
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const queue = make()
        /** In the order of first adding; undefined: worked on. */
        const model = new Map<string, number | undefined>()
        commands.forEach(({ afterMillis, key, verb }, nth) => {
          const nowMicros = Math.floor(nth / 4) * 1_000
          if (verb === "add") {
            WorkQueue.add(queue, key, nowMicros)
            if (!model.has(key)) model.set(key, nowMicros)
          } else if (verb === "drop") {
            WorkQueue.drop(queue, key)
            model.delete(key)
          } else if (verb === "again") {
            if (!model.has(key) || model.get(key) !== undefined) return
            WorkQueue.settle(queue, key, { _tag: "Again", afterMillis }, settledAt(nowMicros))
            model.set(key, nowMicros + afterMillis * 1_000)
          } else {
            const [first] = [...model]
              .filter(([, at]) => at !== undefined && at <= nowMicros)
              .toSorted(([, left], [, right]) => left! - right!)
            assert.strictEqual(WorkQueue.take(queue, nowMicros), first?.[0])
            if (first !== undefined) model.set(first[0], undefined)
          }
          assert.strictEqual(WorkQueue.depth(queue), [...model.values()].filter((at) => at !== undefined).length)
        })
      })
    )
  })

  it("counts those that wait, not those that are worked on", () => {
    const queue = make()
    assert.strictEqual(WorkQueue.depth(queue), 0)
    for (const key of ["a", "b", "c"]) WorkQueue.add(queue, key, 0)
    WorkQueue.take(queue, 0)
    assert.strictEqual(WorkQueue.depth(queue), 2)
  })

  it("says how long a key that is worked on had waited for its turn; nothing of others, and never less than nothing", () => {
    const queue = make()
    WorkQueue.add(queue, "a", 100)
    WorkQueue.add(queue, "b", 100)
    assert.strictEqual(WorkQueue.take(queue, 140), "a")
    assert.strictEqual(WorkQueue.waitedMicros(queue, "a", 140), 40)
    assert.strictEqual(WorkQueue.waitedMicros(queue, "a", 90), 0)
    assert.strictEqual(WorkQueue.waitedMicros(queue, "b", 140), 0)
    assert.strictEqual(WorkQueue.waitedMicros(queue, "c", 140), 0)
  })

  it("forgets a key that is done, or dropped at any time; what its work comes to is nobody's then", () => {
    const queue = make()
    for (const key of ["done", "dropped", "dropped while it waits"]) WorkQueue.add(queue, key, 0)
    WorkQueue.take(queue, 0)
    WorkQueue.take(queue, 0)
    WorkQueue.settle(queue, "done", { _tag: "Done" }, settledAt(1))
    WorkQueue.drop(queue, "dropped")
    WorkQueue.settle(queue, "dropped", { _tag: "Failed", afterMillis: 0 }, settledAt(1))
    WorkQueue.drop(queue, "dropped while it waits")
    assert.strictEqual(queue.entries.size, 0)
  })

  it("refuses as a defect that is settled what nobody works on", () => {
    const queue = make()
    WorkQueue.add(queue, "a", 0)
    assert.throws(
      () => WorkQueue.settle(queue, "a", { _tag: "Done" }, settledAt(1)),
      "a is settled but nobody works on it"
    )
  })

  // covers A14
  it("looks again after as long as it was asked to, or as its failures demand, whichever is longer", () => {
    const queue = make()
    WorkQueue.add(queue, "a", 0)
    const after = (outcome: WorkQueue.Outcome): number => {
      WorkQueue.take(queue, 1e12)
      WorkQueue.settle(queue, "a", outcome, settledAt(1_000))
      return WorkQueue.nextMicros(queue)!
    }
    assert.strictEqual(after({ _tag: "Again", afterMillis: 7 }), 8_000)
    assert.strictEqual(after({ _tag: "Failed", afterMillis: 70 }), 71_000)
    assert.strictEqual(after({ _tag: "Failed", afterMillis: 7 }), 11_000)
  })

  it("asks at once for the turn of what was added during its work, and forgets its failures", () => {
    const queue = make()
    WorkQueue.add(queue, "a", 0)
    WorkQueue.take(queue, 0)
    WorkQueue.settle(queue, "a", { _tag: "Failed", afterMillis: 0 }, settledAt(0))
    WorkQueue.take(queue, 5_000)
    WorkQueue.add(queue, "a", 5_001)
    WorkQueue.settle(queue, "a", { _tag: "Done" }, settledAt(6_000))
    assert.deepInclude(queue.entries.get("a"), { state: "waiting", order: 0, notBeforeMicros: 6_000, failures: 0 })
  })

  it("gives another turn at once to what was changed during its work, though it was to be looked at later; not to what is as it was", () => {
    const after = (isSame: boolean) => {
      const queue = make()
      WorkQueue.add(queue, "a", 0)
      WorkQueue.take(queue, 0)
      WorkQueue.add(queue, "a", 500, { isDue: true, isSame })
      WorkQueue.settle(queue, "a", { _tag: "Again", afterMillis: 7 }, settledAt(1_000))
      return WorkQueue.nextMicros(queue)
    }
    assert.strictEqual(after(false), 1_000)
    assert.strictEqual(after(true), 8_000)
  })

  it("hurries what waits for something outside when it is due in the store before its time, as then somebody asked", () => {
    const after = (isPostponed: boolean) => {
      const queue = make()
      WorkQueue.add(queue, "a", 0)
      WorkQueue.take(queue, 0)
      WorkQueue.settle(queue, "a", { _tag: "Again", afterMillis: 7, isPostponed }, settledAt(1_000))
      WorkQueue.add(queue, "a", 2_000, { isDue: true })
      return WorkQueue.nextMicros(queue)
    }
    assert.strictEqual(after(true), 2_000)
    assert.strictEqual(after(false), 8_000)
  })
})
