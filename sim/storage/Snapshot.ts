/**
 * Which version of a row a transaction sees, and what has become of a row since.
 *
 * A snapshot is a position in the order of commits: it shows what was committed up to there, and the transaction's own writes.
 */
import type { RowLock } from "../../core/ports/Storage.ts"
import { conflicts } from "./Locks.ts"
import type { Slot, Transaction, Version } from "./Transaction.ts"

/** The version that this transaction sees, deleted ones included; `undefined` when the row is not there for it. */
export const visible = (slot: Slot, transaction: Transaction): Version | undefined => {
  const snapshot = transaction.snapshot!
  for (let version = slot.head; version !== undefined; version = version.previous) {
    if (version.writer === transaction || version.writer.commitSequence <= snapshot) return version
  }
  return undefined
}

export const isCommitted = (version: Version): boolean => version.writer.commitSequence !== Infinity

/** The newest version that is committed or, when it wrote one, the transaction's own. */
export const latest = (slot: Slot, transaction: Transaction): Version | undefined => {
  for (let version = slot.head; version !== undefined; version = version.previous) {
    if (version.writer === transaction || isCommitted(version)) return version
  }
  return undefined
}

/**
 * Whether another transaction has committed a newer version that a lock of this mode may not overlook. `for key share`
 * overlooks updates under a lock that it passes: it is granted on the version already read.
 */
export const hasChangedSince = (slot: Slot, basis: Version, mode: RowLock): boolean => {
  for (let version = slot.head; version !== basis; version = version.previous) {
    if (version === undefined) return true
    if (isCommitted(version) && (mode !== "for key share" || conflicts(version.lock, mode))) return true
  }
  return false
}

/** Whether the lock that stands in the way of `for key share` was taken on a later version than `basis`. */
export const isHeldLater = (slot: Slot, basis: Version): boolean => {
  let next = slot.head
  while (next?.previous !== basis) next = next?.previous
  return isCommitted(next) || !conflicts(next.lock, "for key share")
}
