/** Hints of the change feed, whatever becomes of the session that sends them. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { type Operand, add, clockTimestamp, eq } from "../../core/ports/Condition.ts"
import { Storage, type StorageError, type Transaction, makeTransaction } from "../../core/ports/Storage.ts"
import { type RowOf, integer, make, nullable, timestamp } from "../../core/ports/Table.ts"
import * as FeedHints from "./FeedHints.ts"

const things = make("things", { columns: { id: integer }, primaryKey: ["id"] })

const work = make("work", {
  columns: { id: integer, dueAt: nullable(timestamp), updatedAt: timestamp },
  primaryKey: ["id"],
  topics: { dueAt: "due", updatedAt: "moved" }
})

/** Writes nothing, and says that it did. */
const storage = Layer.succeed(Storage, {
  once: (call) => call(makeTransaction(() => Effect.succeed({ rows: [], count: 0 }))),
  transaction: (body) => body(makeTransaction(() => Effect.succeed({ rows: [], count: 0 })))
})

describe("hints of the change feed", () => {
  it.effect("are sent after one that met a defect, and after one that was never answered", () => {
    let sent = 0
    const outcomes = [Effect.die(new Error("of the driver")), Effect.never, Effect.void]
    const client = Layer.succeed(PgClient.PgClient, {
      notify: () => Effect.suspend(() => outcomes[sent++]!)
    } as unknown as PgClient.PgClient)
    const writing = Effect.gen(function* () {
      const { once } = yield* Storage
      for (const expected of [1, 2, 3]) {
        yield* once((t) => t.insert(things, { id: expected }), { label: "write" })
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(sent, expected)
      }
    })
    return Effect.provide(writing, FeedHints.layer.pipe(Layer.provide(storage), Layer.provide(client)))
  })

  it.effect("say what was written since the last one: what is due from now on, not what is due later", () => {
    const said: Array<string> = []
    const client = Layer.succeed(PgClient.PgClient, {
      notify: (_: string, payload: string) => Effect.sync(() => said.push(payload))
    } as unknown as PgClient.PgClient)
    const set =
      (values: { readonly [K in keyof RowOf<typeof work>]?: Operand<RowOf<typeof work>[K]> }) => (t: Transaction) =>
        t.update(work, { where: (row) => eq(row.id, 1), set: () => values })
    const writing = Effect.gen(function* () {
      const { once, transaction } = yield* Storage
      const say = (...calls: ReadonlyArray<(t: Transaction) => Effect.Effect<unknown, StorageError>>) =>
        Effect.gen(function* () {
          for (const call of calls) yield* once(call, { label: "write" })
          yield* TestClock.adjust("1 second")
          return said.splice(0)
        })
      assert.deepStrictEqual(yield* say(set({ dueAt: clockTimestamp })), ["changes due"])
      assert.deepStrictEqual(yield* say(set({ dueAt: add(clockTimestamp, 1) }), set({ dueAt: null })), ["changes"])
      const rows = [
        { id: 2, dueAt: null, updatedAt: 1 },
        { id: 3, dueAt: clockTimestamp, updatedAt: clockTimestamp }
      ]
      const both = ["changes due moved"]
      assert.deepStrictEqual(yield* say((t) => t.insert(work, rows)), both)
      assert.deepStrictEqual(yield* say((t) => t.delete(work, { where: (row) => eq(row.id, 1) })), both)
      assert.deepStrictEqual(yield* say((t) => t.select(work)), [])
      const each = [set({ updatedAt: clockTimestamp }), set({ dueAt: clockTimestamp })]
      yield* transaction((t) => Effect.forEach(each, (call) => call(t)), { label: "write" })
      assert.deepStrictEqual(yield* say(), ["changes moved due"])
    })
    return Effect.provide(writing, FeedHints.layer.pipe(Layer.provide(storage), Layer.provide(client)))
  })
})
