/** A transaction as the storage model sees it: what it may see, what it wrote, what it holds, who waits for its end. */
import type { Fence, Isolation } from "../../core/ports/Storage.ts"
import type { Slot } from "./Relation.ts"
import type { Wait } from "./Locks.ts"

export class Transaction {
  readonly id: number
  readonly label: string
  readonly isolation: Isolation
  /** What `now()` answers, from beginning to end. */
  readonly startedAtMicros: number
  /** Position in the order of commits; infinite until then, so that no snapshot sees it, and for ever when rolled back. */
  commitSequence = Infinity
  /** The last commit that this transaction (repeatable read) or its present statement (read committed) may see. */
  snapshot: number | undefined = undefined
  /** Counts statements: what this very statement wrote is invisible to it. */
  command = 0
  fences: ReadonlyArray<Fence> = []
  /** Slots with versions of this transaction, in order of first touch. */
  readonly written = new Set<Slot>()
  readonly locked: Array<Slot> = []
  /** Who waits for this transaction to end, because of an uncommitted duplicate. */
  readonly awaitedBy: Array<Wait> = []

  constructor(options: {
    readonly id: number
    readonly label: string
    readonly isolation: Isolation
    readonly startedAtMicros: number
  }) {
    this.id = options.id
    this.label = options.label
    this.isolation = options.isolation
    this.startedAtMicros = options.startedAtMicros
  }
}
