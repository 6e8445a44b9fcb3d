/**
 * What to look at, and when: the keys of one node with their turns and their backoff. Data and functions on it; time and
 * chance are arguments.
 *
 * - W1 A key is in the queue at most once, however often it is added.
 * - W2 A key that is being worked on is not handed out again; if it is added meanwhile, and is not as it was, it has another turn after.
 * - W3 A key that waits (for backoff, or because it asked to be looked at later) is not hurried by being added again, so that a
 *   poisoned key cannot take the turns of others. Where the store knows how long it waits, and has it due all the same, somebody asked.
 */
import { assert } from "../assert.ts"
import { backoffMillis } from "./Backoff.ts"

export interface WorkQueue {
  readonly backoffMillisMax: number
  readonly entries: Map<string, Entry>
  /** Those that wait, as a binary heap; an element whose entry is not its key's any more is passed over where it surfaces. */
  readonly waits: Array<Wait>
  /** How many keys wait. */
  depth: number
  /** How many keys there ever were. */
  added: number
}

type Entry = { readonly order: number; failures: number } & (
  | { state: "waiting"; notBeforeMicros: number; isPostponed?: boolean }
  | { state: "working"; isDirty: boolean; dueMicros: number }
)

interface Wait {
  readonly key: string
  readonly entry: Entry & { readonly state: "waiting" }
}

export type Outcome =
  /** Matched: nothing to do until somebody adds the key again. */
  | { readonly _tag: "Done" }
  /** Under way: look again after so long; no failure. `isPostponed`: the store has it that it is not due before. */
  | { readonly _tag: "Again"; readonly afterMillis: number; readonly isPostponed?: boolean }
  /** Failed: back off, at least for so long. `cause`: where it failed by itself, and may be given up. */
  | { readonly _tag: "Failed"; readonly afterMillis: number; readonly cause?: string }

export const make = (options: { readonly backoffMillisMax: number }): WorkQueue => ({
  backoffMillisMax: options.backoffMillisMax,
  entries: new Map(),
  waits: [],
  depth: 0,
  added: 0
})

/** `isDue`: the store says that its time has come, by what it knows. `isSame`: it is as it was when it was added last. */
export const add = (
  queue: WorkQueue,
  key: string,
  nowMicros: number,
  { isDue = false, isSame = false }: { readonly isDue?: boolean; readonly isSame?: boolean } = {}
): void => {
  const entry = queue.entries.get(key)
  if (entry === undefined) wait(queue, key, { notBeforeMicros: nowMicros, order: queue.added++, failures: 0 })
  else if (entry.state === "working") entry.isDirty ||= !isSame
  else if (isDue && entry.isPostponed === true && entry.notBeforeMicros > nowMicros) {
    queue.depth--
    wait(queue, key, { notBeforeMicros: nowMicros, order: entry.order, failures: entry.failures })
  }
}

/** The store has it that this key is not due before its next try. */
export const postponed = (queue: WorkQueue, key: string): void => {
  const entry = queue.entries.get(key)
  if (entry?.state === "waiting") entry.isPostponed = true
}

/** How long a key that is being worked on will wait if it ends like this. */
export const retryMillis = (
  queue: WorkQueue,
  key: string,
  outcome: Outcome & { readonly _tag: "Failed" },
  fraction: number
): number => {
  const failures = (queue.entries.get(key)?.failures ?? 0) + 1
  return Math.max(outcome.afterMillis, backoffMillis(failures, { fraction, millisMax: queue.backoffMillisMax }))
}

/** The next key whose time has come, in the order of those times, then of their first adding; it is being worked on from here. */
export const take = (queue: WorkQueue, nowMicros: number): string | undefined => {
  const next = earliest(queue)
  if (next === undefined || next.entry.notBeforeMicros > nowMicros) return undefined
  const { failures, notBeforeMicros, order } = next.entry
  removeFirst(queue.waits)
  queue.depth--
  queue.entries.set(next.key, { state: "working", isDirty: false, failures, order, dueMicros: notBeforeMicros })
  return next.key
}

/** How long a key that was taken at `nowMicros` had waited for its turn since its time came. */
export const waitedMicros = (queue: WorkQueue, key: string, nowMicros: number): number => {
  const entry = queue.entries.get(key)
  return entry?.state === "working" ? Math.max(0, nowMicros - entry.dueMicros) : 0
}

/** How many keys wait. */
export const depth = (queue: WorkQueue): number => queue.depth

/** When `take` has something to give; nothing when no key waits. */
export const nextMicros = (queue: WorkQueue): number | undefined => earliest(queue)?.entry.notBeforeMicros

/** The work on `key` has ended; `fraction` is a fresh draw from 0 to 1 for its backoff. */
export const settle = (
  queue: WorkQueue,
  key: string,
  outcome: Outcome,
  at: { readonly nowMicros: number; readonly fraction: number }
): void => {
  const entry = queue.entries.get(key)
  // The key was dropped while it was worked on.
  if (entry === undefined) return
  assert(entry.state === "working", `${key} is settled but nobody works on it`)
  const again = (afterMillis: number, failures: number, isPostponed = false) =>
    wait(queue, key, { notBeforeMicros: at.nowMicros + afterMillis * 1_000, order: entry.order, failures, isPostponed })
  switch (outcome._tag) {
    case "Done":
      if (entry.isDirty) again(0, 0)
      else queue.entries.delete(key)
      break
    case "Again":
      if (entry.isDirty) again(0, 0)
      else again(outcome.afterMillis, 0, outcome.isPostponed)
      break
    case "Failed":
      again(retryMillis(queue, key, outcome, at.fraction), entry.failures + 1)
      break
  }
}

/** Forgets a key, because it is another node's now. */
export const drop = (queue: WorkQueue, key: string): void => {
  if (queue.entries.get(key)?.state === "waiting") queue.depth--
  queue.entries.delete(key)
}

function wait(queue: WorkQueue, key: string, of: Omit<Wait["entry"], "state">): void {
  const entry = { state: "waiting", ...of } as const
  queue.entries.set(key, entry)
  queue.depth++
  insert(queue.waits, { key, entry })
}

/** The first that still waits. */
function earliest({ entries, waits }: WorkQueue): Wait | undefined {
  while (waits.length > 0 && entries.get(waits[0]!.key) !== waits[0]!.entry) removeFirst(waits)
  return waits[0]
}

function isBefore(left: Wait, right: Wait): boolean {
  const micros = left.entry.notBeforeMicros - right.entry.notBeforeMicros
  return micros < 0 || (micros === 0 && left.entry.order < right.entry.order)
}

function insert(heap: Array<Wait>, wait: Wait): void {
  let at = heap.length
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(wait, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = wait
}

function removeFirst(heap: Array<Wait>): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
    if (!isBefore(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
}
