import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { setImmediate } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Content, sectorBytes, type Survival } from "./Content.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

type Step =
  | { readonly does: "write"; readonly offset: number; readonly data: ReadonlyArray<number> }
  | { readonly does: "truncate"; readonly size: number }
  | { readonly does: "sync" }
  | { readonly does: "failSync" }

const byte = fc.integer({ min: 1, max: 255 })
const change: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    does: fc.constant("write" as const),
    offset: fc.nat({ max: 20 }),
    data: fc.array(byte, { minLength: 1, maxLength: 10 })
  }),
  fc.record({ does: fc.constant("truncate" as const), size: fc.nat({ max: 25 }) })
)
const step = fc.oneof(
  { weight: 5, arbitrary: change },
  { weight: 1, arbitrary: fc.constant<Step>({ does: "sync" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ does: "failSync" }) }
)

/** The bytes that these changes make of nothing, one after the other. */
const bytesAfter = (steps: ReadonlyArray<Step>): ReadonlyArray<number> =>
  steps.reduce<Array<number>>((bytes, it) => {
    const copy = bytes.slice()
    if (it.does === "truncate") {
      while (copy.length < it.size) copy.push(0)
      copy.length = it.size
    }
    if (it.does === "write") {
      while (copy.length < it.offset) copy.push(0)
      copy.splice(it.offset, it.data.length, ...it.data)
    }
    return copy
  }, [])

const play = (steps: ReadonlyArray<Step>): Content => {
  const content = new Content()
  for (const it of steps) {
    if (it.does === "write") content.write(it.offset, Uint8Array.from(it.data))
    else if (it.does === "truncate") content.truncate(it.size)
    else content[it.does]()
  }
  return content
}

const bytesOf = (content: Content) => [...content.read(0, content.size)]

/** Which changes a loss of power keeps: the synced ones, those since that survive, and none that a failed sync dropped. */
const kept = (steps: ReadonlyArray<Step>, survives: (nth: number) => boolean): ReadonlyArray<Step> => {
  const states = steps.map(() => "pending")
  for (const [index, { does }] of steps.entries()) {
    if (does !== "sync" && does !== "failSync") continue
    for (let before = 0; before < index; before++) {
      if (states[before] === "pending") states[before] = does === "sync" ? "synced" : "dropped"
    }
  }
  let nth = 0
  return steps.filter(({ does }, index) => {
    if (does === "sync" || does === "failSync" || states[index] === "dropped") return false
    return states[index] === "synced" || survives(nth++)
  })
}

describe("Content", () => {
  it("reads what was written, whatever was synced", () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) =>
        assert.deepStrictEqual(bytesOf(play(steps)), bytesAfter(steps))
      )
    ))

  it("keeps through a loss of power what was synced and, of the rest, what survives, in the order it was written in", () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.array(fc.boolean(), { minLength: 30 }), (steps, survivals) => {
        const content = play(steps)
        content.losePower((nth) => (survivals[nth] === true ? "whole" : "lost"))
        const left = bytesAfter(kept(steps, (nth) => survivals[nth] === true))
        assert.deepStrictEqual(bytesOf(content), left)
        assert.strictEqual(content.unsynced, 0, "what is left is on the disk")
        content.losePower(() => "lost")
        assert.deepStrictEqual(bytesOf(content), left)
      })
    ))

  it("remembers after a failed sync no more than before it (2,000 writes of 4 KiB, each synced)", async () => {
    const content = new Content()
    const page = (value: number) => new Uint8Array(4_096).fill(value)
    content.write(0, page(1))
    content.failSync()
    // What was collected is given back a little later.
    const heldBelow = async (bytes: number, attemptsMax = 100) => {
      for (let attempts = 0; attempts < attemptsMax; attempts++) {
        collectGarbage()
        await setImmediate()
        if (process.memoryUsage().arrayBuffers < bytes) return true
      }
      return false
    }
    await heldBelow(0, 10)
    const before = process.memoryUsage().arrayBuffers
    for (let nth = 0; nth < 2_000; nth++) {
      content.write(4_096, page(nth))
      content.sync()
    }
    // The writes, and what they replaced, are 16 million bytes.
    assert.isTrue(await heldBelow(before + 1_000_000))
    assert.strictEqual(content.unsynced, 1, "what the failed sync dropped")
    assert.strictEqual(
      content.losePower(() => "lost"),
      1
    )
    assert.deepStrictEqual(bytesOf(content), [...page(0), ...page(1_999)])
  })

  it("tears a write at a sector and never inside one (1 to 4,000 bytes at any place)", () =>
    fc.assert(
      fc.property(fc.nat({ max: 2_000 }), fc.integer({ min: 1, max: 4_000 }), (offset, length) => {
        const content = new Content()
        content.write(0, new Uint8Array(8_192).fill(1))
        content.sync()
        content.write(offset, new Uint8Array(length).fill(2))
        content.losePower((): Survival => "torn")
        const after = bytesOf(content)
        const written = after.filter((value) => value === 2).length
        const sectors = Math.floor((offset + length - 1) / sectorBytes) - Math.floor(offset / sectorBytes) + 1
        if (sectors === 1) assert.strictEqual(written, length, "one sector is written whole")
        else {
          assert.isAbove(written, 0)
          assert.isBelow(written, length)
          assert.strictEqual((offset + written) % sectorBytes, 0)
        }
        assert.isTrue(after.slice(offset, offset + written).every((value) => value === 2))
      })
    ))
})
