import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { instanceRow } from "../invariants/Story.fixture.ts"
import type { Instance } from "../instance/Instance.ts"
import { makeTransaction } from "../ports/Storage.ts"
import { requestDeletion } from "./InstancesApi.ts"

/** The answer to a deletion, when the store answers each of its statements so. */
const answered = (...replies: ReadonlyArray<ReadonlyArray<Instance>>) => {
  const left = [...replies]
  const transaction = makeTransaction(() => {
    const rows = left.shift()
    if (rows === undefined) throw new Error("a statement too many")
    return Effect.succeed({ rows, count: rows.length })
  })
  const { body, status } = Effect.runSync(
    Effect.orDie(
      requestDeletion(transaction, "a", { conditions: { isNone: true, unmet: () => undefined }, mayChange: () => true })
    )
  )
  assert.deepStrictEqual(left, [], "a statement too few")
  return { status, document: JSON.parse(body) as Partial<Instance> }
}

describe("a deletion of two callers at once", () => {
  const alive = instanceRow("a", { fleet: null, ordinal: null })
  const asked: Instance = { ...alive, liveName: null, deletionRequestedAt: 7 }

  it("shows the end that is asked for now, and tells of it", () =>
    assert.strictEqual(answered([alive], [asked], []).document.deletionRequestedAt, 7))

  it("shows the end that the other caller asked for since the first look", () =>
    assert.strictEqual(answered([alive], [], [asked]).document.deletionRequestedAt, 7))

  it("is refused when the instance is gone since the first look", () =>
    assert.strictEqual(answered([alive], [], []).status, 404))
})
