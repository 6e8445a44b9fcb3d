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
})
