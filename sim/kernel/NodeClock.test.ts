import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { NodeClock } from "./NodeClock.ts"

/** A clock in a world whose time is set by hand, and which of its faults were felt. */
class Bench {
  worldMicros = 0
  readonly felt: Array<string> = []
  readonly clock = new NodeClock({
    worldMicros: () => this.worldMicros,
    setTimer: () => () => undefined,
    read: () => undefined,
    disturbed: (fault) => this.felt.push(fault),
    waits: () => undefined,
    wasSet: () => undefined
  })

  passes(micros: number): this {
    this.worldMicros += micros
    return this
  }
}

const second = 1_000_000

describe("a fault of a clock takes effect when a time is read that it changed", () => {
  it("a jump: in wall time, once", () => {
    const bench = new Bench()
    bench.clock.jump(5 * second, "clock/jump")
    bench.passes(second).clock.monotonicTimeNanosUnsafe()
    bench.clock.wallMicros()
    assert.deepStrictEqual(bench.felt, [])
    bench.clock.currentTimeMillisUnsafe()
    bench.clock.currentTimeNanosUnsafe()
    assert.deepStrictEqual(bench.felt, ["clock/jump"])
  })

  it("a drift: in both, as soon as it amounts to something", () => {
    const bench = new Bench()
    bench.clock.drift(1.5, "clock/drift")
    bench.clock.monotonicTimeNanosUnsafe()
    assert.deepStrictEqual(bench.felt, [])
    bench.passes(10).clock.monotonicTimeNanosUnsafe()
    assert.deepStrictEqual(bench.felt, ["clock/drift"])
  })

  it("two faults: both are felt by the one reading that they changed together", () => {
    const bench = new Bench()
    bench.clock.jump(-second, "clock/skew")
    bench.clock.drift(0.9, "clock/drift")
    bench.passes(second).clock.currentTimeMillisUnsafe()
    assert.deepStrictEqual(bench.felt, ["clock/skew", "clock/drift"])
  })

  it("one that was undone before anybody read the clock is never felt, unless what it did stays", () => {
    const bench = new Bench()
    bench.clock.jump(5 * second, "clock/jump")
    bench.clock.drift(2, "clock/drift")
    bench.clock.drift(1)
    bench.passes(second).clock.jump(-5 * second)
    bench.clock.currentTimeMillisUnsafe()
    assert.deepStrictEqual(bench.felt, [])
    bench.clock.drift(2, "clock/drift")
    bench.passes(second).clock.drift(1)
    bench.clock.currentTimeMillisUnsafe()
    assert.deepStrictEqual(bench.felt, ["clock/drift"])
  })

  it("a time that was taken before the fault and is used after it is not changed by it", () => {
    const bench = new Bench()
    const before = bench.clock.settings
    bench.clock.jump(second, "clock/jump")
    bench.clock.usedWall(before)
    assert.deepStrictEqual(bench.felt, [])
    bench.clock.usedWall(bench.clock.settings)
    assert.deepStrictEqual(bench.felt, ["clock/jump"])
  })

  it("whatever is set and read: a fault is felt at most once, and one is felt whenever wall time is not the world's", () => {
    const micros = fc.integer({ min: -1_000, max: 1_000 })
    const step = fc.oneof(
      fc.record({ do: fc.constant("jump" as const), by: micros }),
      fc.record({ do: fc.constant("drift" as const), by: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ do: fc.constant("pass" as const), by: fc.nat(1_000) }),
      fc.record({ do: fc.constant("read" as const), by: fc.constant(0) })
    )
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const bench = new Bench()
        const { clock, felt } = bench
        const epoch = clock.wallMicros()
        for (const [nth, { by, do: what }] of steps.entries()) {
          if (what === "jump") clock.jump(by, `jump ${nth}`)
          else if (what === "drift") clock.drift(by / 10, `drift ${nth}`)
          else if (what === "pass") bench.passes(by)
          else clock.currentTimeNanosUnsafe()
        }
        assert.strictEqual(new Set(felt).size, felt.length)
        const isOff = clock.wallMicros() - epoch !== bench.worldMicros
        clock.currentTimeNanosUnsafe()
        if (isOff) assert.isNotEmpty(felt)
      })
    )
  })
})
