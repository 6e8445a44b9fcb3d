/**
 * A fact as the listener keeps it: what was said, when, by whom, and because of what.
 *
 * - F1 `id` counts up from 1 without gaps within one run; `cause` is the id of the fact that really caused this one
 *   (the send of a delivery, the setting of a timer, the release of a lock), or 0 when nothing did.
 */
import type { DomainFact } from "./Facts.ts"

export interface Envelope<F extends DomainFact = DomainFact> {
  readonly id: number
  /** The listener's time, in microseconds: virtual in a simulation, the host's in an audit. */
  readonly atMicros: number
  /** The node that spoke; "" for the world itself. */
  readonly node: string
  readonly incarnation: number
  readonly cause: number
  readonly fact: F
}

export interface RowChange {
  readonly table: string
  /** What the row is called in its table (`rowKeyOf`). */
  readonly key: string
  readonly before: Readonly<Record<string, unknown>> | null
  readonly after: Readonly<Record<string, unknown>> | null
}

/** One commit of the store with its row changes, in commit order. */
export interface Committed extends DomainFact {
  readonly _tag: "Committed"
  readonly label: string
  readonly transactionId: number
  readonly fences: ReadonlyArray<{ readonly lease: string; readonly epoch: number }>
  readonly changes: ReadonlyArray<RowChange>
}
