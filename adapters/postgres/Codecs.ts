/**
 * Values of the port on the wire, in Postgres' binary format: an integer is a number, a time is an integer of microseconds
 * since 1970. The driver's own codecs give bigints, and dates that have lost their microseconds.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import type { ColumnKind } from "../../core/ports/Table.ts"
import type { Parameter } from "./Sql.ts"

/** For the `types` of a connection. */
export const makeCodecs = (): PgTypes.Registry => {
  const registry = PgTypes.makeRegistry()
  registry.register(oids.integer, int64("an integer", 0), { arrayOid: arrayOids.integer })
  registry.register(oids.timestamp, int64("a time in microseconds", epochMicros), { arrayOid: arrayOids.timestamp })
  return registry
}

/** A parameter as the driver takes it, with the type declared. */
export const bind = ({ isArray, kind, value }: Parameter): PgTypes.Parameter => ({
  [PgTypes.ParameterTypeId]: PgTypes.ParameterTypeId,
  oid: (isArray ? arrayOids : oids)[kind],
  value
})

/** Postgres counts from 2000-01-01. */
const epochMicros = 946_684_800_000_000

const oids = {
  text: PgTypes.OID.text,
  integer: PgTypes.OID.int8,
  boolean: PgTypes.OID.bool,
  timestamp: PgTypes.OID.timestamptz,
  json: PgTypes.OID.jsonb
} as const satisfies Readonly<Record<ColumnKind, number>>

const arrayOids = { text: 1009, integer: 1016, boolean: 1000, timestamp: 1185, json: 3807 } as const satisfies Readonly<
  Record<ColumnKind, number>
>

/**
 * Eight bytes, counted from `origin`, as two halves: bigints cost more than the rest of a statement. Refuses what a number cannot
 * hold, which the columns' own checks keep out.
 */
function int64(what: string, origin: number): PgTypes.Codec<number> {
  const failed = (value: unknown) =>
    Result.fail(new PgTypes.CodecError({ message: `${String(value)} is not ${what} within ±(2^53 - 1)` }))
  const originHigh = Math.floor(origin / half)
  const originLow = origin - originHigh * half
  const halves = (value: number): readonly [high: number, low: number] => {
    const valueHigh = Math.floor(value / half)
    const low = value - valueHigh * half - originLow
    return low < 0 ? [valueHigh - originHigh - 1, low + half] : [valueHigh - originHigh, low]
  }
  // Exact whenever the result is safe; what is rounded is beyond.
  const join = (high: number, low: number) => {
    const number = (high + originHigh) * half + (low + originLow)
    return Number.isSafeInteger(number) ? Result.succeed(number) : failed(number)
  }
  const readAt = (bytes: Uint8Array, offset: number): number =>
    (bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!
  const read = (bytes: Uint8Array, offset: number) => join(readAt(bytes, offset), readAt(bytes, offset + 4) >>> 0)
  return {
    encode: (value) => {
      if (!isSent(value)) return failed(value)
      const [high, low] = halves(value)
      const bytes = new Uint8Array(8)
      const view = new DataView(bytes.buffer)
      view.setInt32(0, high)
      view.setUint32(4, low)
      return Result.succeed(bytes)
    },
    write: (sink, value) => {
      if (!isSent(value)) return failed(value)
      const [high, low] = halves(value)
      sink.int32(high)
      sink.int32(low | 0)
      return Result.void
    },
    decode: (bytes) => read(bytes, 0),
    read
  }
}

const half = 2 ** 32

/** ±2^53 is how a number that no column takes is sent, for the column's check to refuse. */
function isSent(value: unknown): value is number {
  return Number.isInteger(value) && Math.abs(value as number) <= Number.MAX_SAFE_INTEGER + 1
}
