/**
 * Row locks as Postgres keeps them: four modes, holders on the row itself, and a first-come queue for those who must wait.
 *
 * - K1 A request that conflicts with no holder is granted at once, past everybody who waits (Postgres does not queue it
 *   either; this is how a stream of sharers can starve a writer).
 *   Except `for share` of a row that is held, and was changed or held more strongly by somebody who has ended: what is
 *   written on the row says so until the next lock, and by that Postgres decides to queue.
 * - K2 Among those who wait, one goes on only when nobody ahead of it conflicts: the "tuple lock" of Postgres.
 *   Not queued: who holds a weaker lock on the row already; and `for key share` of a version that its holder has left for
 *   another before taking the stronger lock, for which even `skip locked` waits.
 *   A select that has waited for a change, or meets one in a version that is held still, locks the newer versions too, and waits
 *   for who holds those.
 * - K3 A cycle of waits is always closed by a new wait, so checking each waiter once, some time after it began, finds all.
 * Where Postgres would re-order a queue to dissolve a cycle that only the order of waiting created, this model calls a deadlock.
 */
import type { RowLock } from "../../core/ports/Storage.ts"
import type { Holder, RowWait, Slot, Transaction, Version, Wait } from "./Transaction.ts"

const strength: Readonly<Record<RowLock, number>> = {
  "for key share": 0,
  "for share": 1,
  "for no key update": 2,
  "for update": 3
}

/** Postgres' table of row lock conflicts: with these strengths it is a sum. */
export const conflicts = (left: RowLock, right: RowLock): boolean => strength[left] + strength[right] >= 3

/** Whether this request cannot be granted now. `wait` is its place in the queue, if it has one. */
export const mustWait = (slot: Slot, transaction: Transaction, mode: RowLock, wait: RowWait | undefined): boolean => {
  if (conflictsWithHolders(slot, transaction, mode)) return true
  if (mode !== "for share" || slot.queue === undefined || slot.head?.exclusive === undefined) return false
  if (slot.holders === undefined || heldMode(slot, transaction) !== undefined) return false
  return slot.queue
    .slice(0, wait === undefined ? undefined : slot.queue.indexOf(wait))
    .some((other) => other.isQueued && other.version === slot.head && conflicts(other.mode, mode))
}

const conflictingHolders = (
  { holders = [] }: Slot,
  transaction: Transaction,
  mode: RowLock
): ReadonlyArray<Transaction> =>
  holders
    .filter((holder) => holder.transaction !== transaction && conflicts(holder.mode, mode))
    .map((holder) => holder.transaction)

/** Those of them who hold this very version, though a newer one may be committed. */
export const conflictingHoldersOf = (
  version: Version,
  slot: Slot,
  transaction: Transaction,
  mode: RowLock
): ReadonlyArray<Transaction> => {
  if (slot.holders === undefined) return []
  return slot.holders
    .filter((holder) => {
      const held = modeOn(version, holder)
      return held !== undefined && holder.transaction !== transaction && conflicts(held, mode)
    })
    .map((holder) => holder.transaction)
}

/** Whether anybody holds this very version, in whatever mode. */
export const isHeldStill = (version: Version, { holders = [] }: Slot): boolean =>
  holders.some((holder) => modeOn(version, holder) !== undefined)

/** How it holds this version; `undefined` when it has locked later ones only. */
const modeOn = (version: Version, holder: Holder): RowLock | undefined => {
  for (let held: Omit<Holder, "transaction"> | undefined = holder; held !== undefined; held = held.earlier) {
    let older = held.since.previous
    while (older !== undefined && older !== version) older = older.previous
    if (older === undefined) return held.mode
  }
  return undefined
}

/**
 * Whether a changed version has a queue still, and this request is not the first in it: others hold the version, however
 * weakly, and somebody ahead waits for it.
 */
export const isBehindOthers = (
  version: Version,
  slot: Slot,
  transaction: Transaction,
  mode: RowLock,
  wait: RowWait | undefined
): boolean => {
  const { holders, queue } = slot
  if (holders === undefined || queue === undefined || wait?.isQueued === false) return false
  if (heldMode(slot, transaction) !== undefined || !isHeldStill(version, slot)) return false
  return queue
    .slice(0, wait === undefined ? undefined : queue.indexOf(wait))
    .some((other) => other.isQueued && other.version === version && conflicts(other.mode, mode))
}

const conflictsWithHolders = (slot: Slot, transaction: Transaction, mode: RowLock): boolean => {
  const { holders } = slot
  if (holders === undefined) return false
  for (const holder of holders) {
    if (holder.transaction !== transaction && conflicts(holder.mode, mode)) return true
  }
  return false
}

export const heldMode = (slot: Slot, transaction: Transaction): RowLock | undefined =>
  slot.holders?.find((holder) => holder.transaction === transaction)?.mode

/** `isWriting`: the lock of an update, which is written on the row with the new version only (`succeed`). */
export const hold = (slot: Slot, transaction: Transaction, mode: RowLock, since: Version, isWriting: boolean): void => {
  const holder = slot.holders?.find((other) => other.transaction === transaction)
  if (holder === undefined) {
    ;(slot.holders ??= []).push({ transaction, since, mode, earlier: undefined })
    transaction.locked.push(slot)
  } else if (strength[mode] > strength[holder.mode]) {
    if (since !== holder.since) holder.earlier = { since: holder.since, mode: holder.mode, earlier: holder.earlier }
    holder.since = since
    holder.mode = mode
  } else return
  if (!isWriting) note(slot, transaction, mode, since)
}

/** A lock is written on the version it is for and on those after it; who has ended is left out. */
const note = (slot: Slot, transaction: Transaction, mode: RowLock, since: Version): void => {
  for (let version = slot.head; version !== undefined; version = version.previous) {
    const { exclusive } = version
    if (conflicts(mode, "for share")) version.exclusive = transaction
    else if (exclusive !== undefined && heldMode(slot, exclusive) === undefined) version.exclusive = undefined
    if (version === since) return
  }
}

/** The newest version has a successor: what was written on it about others who hold the row goes with that. */
export const succeed = (slot: Slot, version: Version): void => {
  const previous = slot.head!
  if (slot.holders !== undefined && slot.holders.length > 1) version.exclusive = previous.exclusive
  previous.exclusive = version.writer
  slot.head = version
}

export const release = (slot: Slot, transaction: Transaction): void => {
  const remaining = slot.holders?.filter((holder) => holder.transaction !== transaction)
  slot.holders = remaining === undefined || remaining.length === 0 ? undefined : remaining
}

/**
 * Those in the queue of a row for whom nothing stands in the way any more, in order of arrival. Whose version has a successor
 * only waits for who holds that version: then it looks again.
 */
export const grantable = (slot: Slot): ReadonlyArray<RowWait> => {
  const { head, queue } = slot
  if (queue === undefined) return []
  return queue.filter((wait, position) => {
    const { mode, transaction, version } = wait
    if (ahead(queue, position).length > 0) return false
    return version === head
      ? !conflictsWithHolders(slot, transaction, mode)
      : conflictingHoldersOf(version, slot, transaction, mode).length === 0
  })
}

/** Those with nobody ahead of them: somebody who was has left. */
export const heads = ({ queue = [] }: Slot): ReadonlyArray<RowWait> =>
  queue.filter((_wait, position) => ahead(queue, position).length === 0)

/** Whether somebody ahead keeps its place although the version has changed. */
export const isBehindFollower = (wait: RowWait | undefined): boolean => {
  if (wait === undefined) return false
  const queue = wait.slot.queue ?? []
  return ahead(queue, queue.indexOf(wait)).some(({ isFollowing }) => isFollowing)
}

/** The transactions that must end, or give up waiting, before this wait can. */
export const blockers = (wait: Wait): ReadonlyArray<Transaction> => {
  if (wait._tag === "Transaction") return [wait.awaited]
  const queue = wait.slot.queue ?? []
  const waitingAhead = ahead(queue, queue.indexOf(wait))
  if (waitingAhead.length > 0) return waitingAhead.map((other) => other.transaction)
  return conflictingHolders(wait.slot, wait.transaction, wait.mode)
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
  const { isQueued, mode, version } = queue[position]!
  if (!isQueued) return []
  return queue
    .slice(0, position)
    .filter((other) => other.isQueued && other.version === version && conflicts(other.mode, mode))
}
