/**
 * Row locks as Postgres keeps them: four modes, holders on the row itself, and a first-come queue for those who must wait.
 *
 * - K1 A request that conflicts with no holder is granted at once, past everybody who waits (Postgres does not queue it
 *   either; this is how a stream of sharers can starve a writer).
 * - K2 Among those who wait, one goes on only when nobody ahead of it conflicts: the "tuple lock" of Postgres.
 * - K3 A cycle of waits is always closed by a new wait, so checking each waiter once, some time after it began, finds all.
 * Where Postgres would re-order a queue to dissolve a cycle that only the order of waiting created, this model calls a deadlock.
 */
import type { RowLock } from "../../core/ports/Storage.ts"
import type { RowWait, Slot, Transaction, Wait } from "./Transaction.ts"

const strength: Readonly<Record<RowLock, number>> = {
  "for key share": 0,
  "for share": 1,
  "for no key update": 2,
  "for update": 3
}

/** Postgres' table of row lock conflicts: with these strengths it is a sum. */
export const conflicts = (left: RowLock, right: RowLock): boolean => strength[left] + strength[right] >= 3

export const conflictsWithHolders = (slot: Slot, transaction: Transaction, mode: RowLock): boolean => {
  const { holders } = slot
  if (holders === undefined) return false
  for (const holder of holders) {
    if (holder.transaction !== transaction && conflicts(holder.mode, mode)) return true
  }
  return false
}

export const hold = (slot: Slot, transaction: Transaction, mode: RowLock): void => {
  if (slot.holders === undefined) {
    slot.holders = [{ transaction, mode }]
    transaction.locked.push(slot)
    return
  }
  for (const holder of slot.holders) {
    if (holder.transaction === transaction) {
      if (strength[mode] > strength[holder.mode]) holder.mode = mode
      return
    }
  }
  slot.holders.push({ transaction, mode })
  transaction.locked.push(slot)
}

export const release = (slot: Slot, transaction: Transaction): void => {
  const remaining = slot.holders?.filter((holder) => holder.transaction !== transaction)
  slot.holders = remaining === undefined || remaining.length === 0 ? undefined : remaining
}

/** Those in the queue of a row for whom nothing stands in the way any more, in order of arrival. */
export const grantable = (slot: Slot): ReadonlyArray<RowWait> => {
  const { queue } = slot
  if (queue === undefined) return []
  return queue.filter(
    (wait, position) => ahead(queue, position).length === 0 && !conflictsWithHolders(slot, wait.transaction, wait.mode)
  )
}

/** The transactions that must end, or give up waiting, before this wait can. */
export const blockers = (wait: Wait): ReadonlyArray<Transaction> => {
  if (wait._tag === "Transaction") return [wait.awaited]
  const queue = wait.slot.queue ?? []
  const waitingAhead = ahead(queue, queue.indexOf(wait))
  if (waitingAhead.length > 0) return waitingAhead.map((other) => other.transaction)
  return (wait.slot.holders ?? [])
    .filter((holder) => holder.transaction !== wait.transaction && conflicts(holder.mode, wait.mode))
    .map((holder) => holder.transaction)
}

/** The cycle of waiting transactions through `start`, or `undefined` when it is in none. */
export const findCycle = (
  start: Transaction,
  waitOf: (transaction: Transaction) => Wait | undefined
): ReadonlyArray<Transaction> | undefined => {
  const visited = new Set<Transaction>()
  const path: Array<Transaction> = []
  const visit = (transaction: Transaction): boolean => {
    path.push(transaction)
    const wait = waitOf(transaction)
    for (const blocker of wait === undefined ? [] : blockers(wait)) {
      if (blocker === start) return true
      if (!visited.has(blocker)) {
        visited.add(blocker)
        if (visit(blocker)) return true
      }
    }
    path.pop()
    return false
  }
  return visit(start) ? path : undefined
}

function ahead(queue: ReadonlyArray<RowWait>, position: number): ReadonlyArray<RowWait> {
  const { mode } = queue[position]!
  return queue.slice(0, position).filter((other) => conflicts(other.mode, mode))
}
