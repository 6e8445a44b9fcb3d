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
  registry.register(oids.integer, int64("a bigint", 0n), { arrayOid: arrayOids.integer })
  registry.register(oids.timestamp, int64("a timestamptz", epochMicros), { arrayOid: arrayOids.timestamp })
  return registry
}

/** A parameter as the driver takes it, with the type declared. */
export const bind = ({ isArray, kind, value }: Parameter): PgTypes.Parameter => ({
  [PgTypes.ParameterTypeId]: PgTypes.ParameterTypeId,
  oid: (isArray ? arrayOids : oids)[kind],
  value
})

/** Postgres counts from 2000-01-01. */
const epochMicros = 946_684_800_000_000n

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

/** Eight bytes, counted from `origin`. Refuses what a number cannot hold, which the columns' own checks keep out. */
function int64(what: string, origin: bigint): PgTypes.Codec<number> {
  const failed = (message: string) => Result.fail(new PgTypes.CodecError({ message }))
  return {
    encode: (value) => {
      if (!Number.isInteger(value)) return failed(`${String(value)} is not ${what}`)
      const bytes = new Uint8Array(8)
      new DataView(bytes.buffer).setBigInt64(0, BigInt(value) - origin)
      return Result.succeed(bytes)
    },
    decode: (bytes) => {
      const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0) + origin
      const number = Number(value)
      return Number.isSafeInteger(number) ? Result.succeed(number) : failed(`${what} of ${value} is beyond ±(2^53 - 1)`)
    }
  }
}
