/** One line of a history, whatever it was written in: somebody called, or was answered. */
import type { Value } from "./Value.ts"

export const recordTypes = ["invoke", "ok", "fail", "info"] as const
/** `fail`: it certainly did not happen, or was refused. `info`: nobody knows. */
export type RecordType = (typeof recordTypes)[number]

export interface HistoryRecord {
  /** From 1. */
  readonly line: number
  readonly process: string
  readonly type: RecordType
  /** What was called. */
  readonly f: string
  /** Of which of many equal objects; "" where there is one. */
  readonly key: string
  readonly value: Value
  /** Said why, by those that failed for a reason of their own. */
  readonly error?: string
  readonly time?: number
}

/** Of values inside each other: whoever looks into one calls itself once for each level. */
export const depthMax = 500

/** Why a history cannot be read: what, and on which line. */
export class Unreadable extends Error {
  override readonly name = "Unreadable"
  readonly line: number

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`)
    this.line = line
  }
}

/** A call and its answer, if one came. */
export interface Exchange {
  readonly call: HistoryRecord
  /** `undefined`, or of type `info`: nobody knows. */
  readonly answer: HistoryRecord | undefined
  /** Places in the order of all records; Infinity without an answer. */
  readonly called: number
  readonly returned: number
}
