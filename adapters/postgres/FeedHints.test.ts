/** Hints of the change feed, whatever becomes of the session that sends them. */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Storage, makeTransaction } from "../../core/ports/Storage.ts"
import { integer, make } from "../../core/ports/Table.ts"
import * as FeedHints from "./FeedHints.ts"

const things = make("things", { columns: { id: integer }, primaryKey: ["id"] })

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
})
