/** Every kind of value reaches a real server and comes back as it was. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import type { ColumnKind } from "../../core/ports/Table.ts"
import { database, skipped } from "./Database.fixture.ts"
import { literal, sqlTypes } from "./Sql.ts"
import { bind, makeCodecs } from "./Codecs.ts"

const max = Number.MAX_SAFE_INTEGER

const values: Readonly<Record<ColumnKind, ReadonlyArray<unknown>>> = {
  text: ["", "a", "'\"\\$1", "ünï 𝒳 \u{10FFFF}", "x".repeat(200_000)],
  integer: [0, 1, -1, max, -max, 2 ** 31, -(2 ** 31) - 1],
  boolean: [true, false],
  timestamp: [0, 1, -1, 999, -999_999, 946_684_800_000_000, 1_700_000_000_123_457, max, -max],
  json: [true, "", 0, 0.1, 1e-7, 1e21, 5e-324, 1.7976931348623157e308, [], {}, [null, { a: [1, "ü"], "": {} }]]
}

describe.skipIf(skipped())("values", () => {
  it.live("as parameters, in arrays and as literals", () =>
    Effect.gen(function* () {
      const session = yield* PgConnection.make({ ...(yield* database), types: makeCodecs() })
      for (const [name, all] of Object.entries(values)) {
        const kind = name as ColumnKind
        const many = [...all, null]
        for (const value of many) {
          const parameter = bind({ kind, value, isArray: false })
          const text = `select $1 as sent, ${literal(kind, value)} as written, $1 is not distinct from ${literal(kind, value)} as same`
          const { rows } = yield* session.query(text, [parameter], false)
          assert.deepStrictEqual(
            rows,
            [{ sent: value, written: value, same: true }],
            `${kind} ${JSON.stringify(value)}`
          )
        }
        const array = bind({ kind, value: many, isArray: true })
        const text = `select $1::${sqlTypes[kind]}[] as sent, ${literal(kind, many, true)} as written`
        const { rows } = yield* session.query(text, [array], false)
        assert.deepStrictEqual(rows, [{ sent: many, written: many }], kind)
      }
    }).pipe(Effect.scoped)
  )
})

describe("a time or an integer on the wire", () => {
  const codecs = makeCodecs()
  const wire = (oid: number, value: number) => Result.getOrThrow(PgTypes.encode(value, oid, codecs))
  const sent = (oid: number, value: number) => new DataView(wire(oid, value).buffer).getBigInt64(0)
  const epochs = [
    [PgTypes.OID.int8, 0n],
    [PgTypes.OID.timestamptz, 946_684_800_000_000n]
  ] as const

  it("is what Postgres counts, exactly, whatever its halves", () => {
    const limit = Number.MAX_SAFE_INTEGER + 1
    const near = fc.integer({ min: -3, max: 3 })
    const edges = fc
      .tuple(fc.constantFrom(0, limit - 4, 4 - limit, 946_684_800_000_000, 2 ** 32, -(2 ** 32), 2 ** 52), near)
      .map(([edge, step]) => edge + step)
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), edges), (value) => {
        for (const [oid, origin] of epochs) {
          assert.strictEqual(sent(oid, value), BigInt(value) - origin)
          const bytes = wire(oid, value)
          assert.strictEqual(Result.getOrThrow(PgTypes.decode(bytes, oid, 1, codecs)), value)
        }
      })
    )
    for (const [oid, origin] of epochs) assert.strictEqual(sent(oid, limit), BigInt(limit) - origin)
  })

  it("beyond what a number holds is refused, on its way out and in", () => {
    for (const [oid] of epochs) {
      assert.throws(() => wire(oid, 2 ** 54))
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setBigInt64(0, 2n ** 62n)
      assert.isTrue(Result.isFailure(PgTypes.decode(bytes, oid, 1, codecs)))
    }
  })
})
