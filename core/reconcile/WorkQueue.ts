/**
 * What to look at, and when: the keys of one node with their turns and their backoff. Data and functions on it; time and
 * chance are arguments.
 *
 * - W1 A key is in the queue at most once, however often it is added.
 * - W2 A key that is being worked on is not handed out again; if it is added meanwhile, it has another turn after.
 * - W3 A key that waits (for backoff, or because it asked to be looked at later) is not hurried by being added again, so that a
 *   poisoned key cannot take the turns of others.
 */
import { assert } from "../assert.ts"
import { backoffMillis } from "./Backoff.ts"

export interface WorkQueue {
  readonly backoffMillisMax: number
  readonly entries: Map<string, Entry>
}

type Entry = { failures: number } & (
  | { state: "waiting"; notBeforeMicros: number }
  | { state: "working"; isDirty: boolean; dueMicros: number }
)

export type Outcome =
  /** Matched: nothing to do until somebody adds the key again. */
  | { readonly _tag: "Done" }
  /** Under way: look again after so long; no failure. */
  | { readonly _tag: "Again"; readonly afterMillis: number }
  /** Failed: back off, at least for so long. */
  | { readonly _tag: "Failed"; readonly afterMillis: number }

export const make = (options: { readonly backoffMillisMax: number }): WorkQueue => ({
  backoffMillisMax: options.backoffMillisMax,
  entries: new Map()
})

export const add = (queue: WorkQueue, key: string, nowMicros: number): void => {
  const entry = queue.entries.get(key)
  if (entry === undefined) queue.entries.set(key, { state: "waiting", notBeforeMicros: nowMicros, failures: 0 })
  else if (entry.state === "working") entry.isDirty = true
}

/** The next key whose time has come, in the order of those times; it is being worked on from here. */
export const take = (queue: WorkQueue, nowMicros: number): string | undefined => {
  const next = earliest(queue)
  if (next === undefined || next.notBeforeMicros > nowMicros) return undefined
  const { failures } = queue.entries.get(next.key)!
  queue.entries.set(next.key, { state: "working", isDirty: false, failures, dueMicros: next.notBeforeMicros })
  return next.key
}

/** How long a key that was taken at `nowMicros` had waited for its turn since its time came. */
export const waitedMicros = (queue: WorkQueue, key: string, nowMicros: number): number => {
  const entry = queue.entries.get(key)
  return entry?.state === "working" ? Math.max(0, nowMicros - entry.dueMicros) : 0
}

/** How many keys wait. */
export const depth = (queue: WorkQueue): number => {
  let waiting = 0
  for (const { state } of queue.entries.values()) if (state === "waiting") waiting++
  return waiting
}

/** When `take` has something to give; nothing when no key waits. */
export const nextMicros = (queue: WorkQueue): number | undefined => earliest(queue)?.notBeforeMicros

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
  const wait = (afterMillis: number, failures: number) =>
    queue.entries.set(key, { state: "waiting", notBeforeMicros: at.nowMicros + afterMillis * 1_000, failures })
  switch (outcome._tag) {
    case "Done":
      if (entry.isDirty) wait(0, 0)
      else queue.entries.delete(key)
      break
    case "Again":
      wait(outcome.afterMillis, 0)
      break
    case "Failed": {
      const failures = entry.failures + 1
      const millis = backoffMillis(failures, { fraction: at.fraction, millisMax: queue.backoffMillisMax })
      wait(Math.max(outcome.afterMillis, millis), failures)
      break
    }
  }
}

/** Forgets a key, because it is another node's now. */
export const drop = (queue: WorkQueue, key: string): void => {
  queue.entries.delete(key)
}

function earliest(queue: WorkQueue): { readonly key: string; readonly notBeforeMicros: number } | undefined {
  let best: { key: string; notBeforeMicros: number } | undefined
  for (const [key, entry] of queue.entries) {
    if (entry.state !== "waiting") continue
    if (best === undefined || entry.notBeforeMicros < best.notBeforeMicros) {
      best = { key, notBeforeMicros: entry.notBeforeMicros }
    }
  }
  return best
}
