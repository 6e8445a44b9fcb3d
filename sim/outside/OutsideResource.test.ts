/** What is judged of answers, by clients that ask in one run. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { toCheck } from "../../core/invariants/Invariant.ts"
import { World } from "../run/World.ts"
import { answersAgree, asking } from "./OutsideResource.ts"

/** Two clients ask one after the other, each by the key that is its own here. */
const violationOf = (keys: readonly [string, string]) => {
  const world = new World({ seed: "1" })
  const judge = toCheck(answersAgree).start()
  const violations: Array<unknown> = []
  world.subscribe((envelope) => {
    const violation = judge.step(envelope)
    if (violation !== undefined) violations.push(violation.message)
  })
  let count = 0
  const counted = Effect.sync(() => ++count)
  for (const [nth, key] of keys.entries()) {
    world.addNode(`client ${nth}`, Effect.delay(asking(key, counted), nth * 1_000)).start()
  }
  world.run("5s")
  return violations
}

describe("what is told to whoever asks", () => {
  it("twice by one key is to be the same", () => {
    assert.deepStrictEqual(violationOf(["m1", "m1"]), ["m1 was answered twice, and not alike"])
  })

  it("by several keys may differ", () => {
    assert.deepStrictEqual(violationOf(["m1", "m2"]), [])
  })
})
