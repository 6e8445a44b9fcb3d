/**
 * The state that transactions and rows share: what a transaction may see, wrote and holds; the versions of a row, who
 * holds it, and who waits.
 *
 * - R1 At most one unfinished transaction has versions on a row, and they are the newest ones (its lock sees to that).
 */
import type { Fence, Isolation, RowLock } from "../../core/ports/Storage.ts"
import type { StoredRow } from "./Evaluate.ts"

export interface Version {
  /** `undefined`: the row is deleted in this version. */
  readonly row: StoredRow | undefined
  readonly writer: Transaction
  /** The statement of the writer that made it. */
  readonly command: number
  /** How its writer held the version before when it made this one; of an inserted row, as an update would. */
  readonly lock: RowLock
  /** Whether any index may know it under another key than the version before. */
  readonly reindexed: boolean
  /** Names of the indexes that it is still to enter, in order, while its writer waits at the first of them. */
  missing: ReadonlyArray<string> | undefined
  /** Who changed or locked it so that `for share` conflicts: as of the last lock, so it may have ended (Locks.ts, K1). */
  exclusive: Transaction | undefined
  previous: Version | undefined
}

/** The table that a row belongs to, as far as those who end transactions need it. */
export interface Home {
  readonly name: string
  readonly primaryKey: ReadonlyArray<string>
  readonly undo: (slot: Slot, writer: Transaction) => void
  readonly prune: (slot: Slot, horizon: number) => void
}

/** A row over its life: newest version first. `id` is its place in the scan. */
export interface Slot {
  readonly id: number
  readonly home: Home
  head: Version | undefined
  holders: Array<Holder> | undefined
  queue: Array<RowWait> | undefined
}

export interface Holder {
  readonly transaction: Transaction
  /** The version that it locked so; those after it are locked too. */
  since: Version
  mode: RowLock
  /** Its weaker locks on earlier versions. */
  earlier: Omit<Holder, "transaction"> | undefined
}

/** Why a statement stands still. `releasedBy`: whose end or departure made it worth looking again. */
export type Wait = RowWait | TransactionWait

/** For a row lock; it keeps its place in the row's queue until granted or given up. */
export interface RowWait {
  readonly _tag: "Row"
  readonly transaction: Transaction
  readonly slot: Slot
  readonly mode: RowLock
  /** The version that it means to lock: there is a queue for each. */
  readonly version: Version
  /** False for who waits past everybody in the queue, and behind whom nobody queues. */
  readonly isQueued: boolean
  /** It has found the version changed, and keeps its place while it waits for who holds a newer one. */
  isFollowing: boolean
  /** When the wait began, somebody was changing the version. */
  readonly hasMetChange: boolean
  releasedBy: Transaction | undefined
}

/** For the end of a transaction that has written the same unique key, or a newer version of the row. */
export interface TransactionWait {
  readonly _tag: "Transaction"
  readonly transaction: Transaction
  readonly awaited: Transaction
  /** The unique constraint in whose name it waits, or the table of the row. */
  readonly constraint: string
  releasedBy: Transaction | undefined
}

export class Transaction {
  readonly id: number
  readonly label: string
  readonly isolation: Isolation
  /** The only one whose rows it may see and write; all may be where it is undefined. */
  readonly project: string | undefined
  /** What `now()` answers, from beginning to end. */
  readonly startedAtMicros: number
  /** How often the clock had been set by then. */
  readonly clockSettings: number
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
  /** Who waits for this transaction to end, past every queue. */
  readonly awaitedBy: Array<Wait> = []

  constructor(options: {
    readonly id: number
    readonly label: string
    readonly isolation: Isolation
    readonly project?: string | undefined
    readonly startedAtMicros: number
    readonly clockSettings: number
  }) {
    this.id = options.id
    this.label = options.label
    this.isolation = options.isolation
    this.project = options.project
    this.startedAtMicros = options.startedAtMicros
    this.clockSettings = options.clockSettings
  }
}
