import { assert, describe, it } from "@effect/vitest"
import type { Envelope } from "../core/facts/Envelope.ts"
import { lines } from "./Struck.ts"

type Line = readonly [seconds: number, fact: { readonly _tag: string } & Readonly<Record<string, unknown>>]

const acted = (fault: string, targets: ReadonlyArray<string>, others: ReadonlyArray<string> = []) => ({
  _tag: "FaultActed",
  fault,
  name: fault,
  targets,
  others,
  forMicros: null
})
const undone = (fault: string) => ({ _tag: "FaultUndone", fault, name: fault })
const effect = (fault: string) => ({ _tag: "FaultEffect", fault })
const told = (...story: ReadonlyArray<Line>): ReadonlyArray<Envelope> =>
  story.map(([seconds, fact], index) => {
    const envelope = { id: index + 1, atMicros: seconds * 1e6, node: "", incarnation: 0, cause: 0, fact }
    return envelope as Envelope
  })

const story = told(
  [1, acted("network/loss", ["a", "b", "c", "d", "e"])],
  [1.5, effect("network/loss")],
  [2, acted("network/partition", ["a"], ["b"])],
  [2.5, effect("network/partition")],
  [3, effect("network/loss")],
  [4, undone("network/partition")],
  [5, acted("process/slow-cpu", ["c"])],
  [6, effect("network/loss")]
)

describe("the faults of a failure", () => {
  it("have a line each: where, when, how often; the last to act comes last, and who did nothing is named apart", () =>
    assert.deepStrictEqual(lines(story, Infinity), [
      "network/partition             a with b from 2.000 s to 4.000 s; struck once, at 2.500 s",
      "network/loss                  struck 3 times, the last at 6.000 s",
      "in force, and without effect: process/slow-cpu"
    ]))

  it("end with the fact that was the failure", () =>
    assert.deepStrictEqual(lines(story, 4), [
      "network/loss                  struck once, at 1.500 s",
      "network/partition             a with b since 2.000 s; struck once, at 2.500 s"
    ]))

  it("may be none", () => assert.deepStrictEqual(lines([], Infinity), ["none"]))

  it("fit on the screen, however many struck", () => {
    const many = Array.from({ length: 30 }, (_, nth): Line => [nth, effect(`kind/${nth}`)])
    const shown = lines(told(...many), Infinity)
    assert.strictEqual(shown.length, 11)
    assert.strictEqual(shown[0], "… 20 earlier")
    assert.include(shown.at(-1), "kind/29")
  })
})
