/**
 * The bytes of a file: what is read now, and what of it is left when the power fails.
 *
 * - C1 What was written before the last successful sync survives a loss of power.
 * - C2 Of the writes since, each survives or not by itself; those that survive are applied in the order in which they were made.
 * - C3 What a failed sync should have saved is never saved by a later one: the system has forgotten that it is dirty ("fsyncgate").
 * - C4 Only what was written since the last sync is remembered, whether that succeeded or failed.
 */

/** Disks write these whole or not at all. */
export const sectorBytes = 512

interface Write {
  readonly _tag: "Write"
  readonly offset: number
  readonly data: Uint8Array
  /** What stood there, and how long the file was. */
  readonly before: Uint8Array
  readonly sizeBefore: number
}

interface Truncation {
  readonly _tag: "Truncation"
  readonly size: number
  /** What was cut off. */
  readonly before: Uint8Array
  readonly sizeBefore: number
}

type Change = Write | Truncation

/** How much of the nth unsynced change survives: all, nothing, or whole sectors up to a place in it. */
export type Survival = "whole" | "lost" | "torn"

export class Content {
  #now = new Bytes()
  /** Since the last sync, in order. */
  #pending: Array<Change> = []
  /** What is on the disk, once a failed sync has made that another than what is read; until then it follows from `#pending`. */
  #onDisk: Bytes | undefined
  /** How many changes failed syncs should have saved. */
  #dropped = 0

  get size(): number {
    return this.#now.size
  }

  /** Changes that a loss of power may undo. */
  get unsynced(): number {
    return this.#dropped + this.#pending.length
  }

  /** Of these, those that may still reach the disk: what `losePower` asks about. */
  get pending(): number {
    return this.#pending.length
  }

  /** A copy of what stands there; short at the end of the file. */
  read(offset: number, length: number): Uint8Array {
    return this.#now.read(offset, length)
  }

  write(offset: number, data: Uint8Array): void {
    const before = this.read(offset, data.length)
    this.#pending.push({ _tag: "Write", offset, data: data.slice(), before, sizeBefore: this.size })
    this.#now.put(offset, data)
  }

  truncate(size: number): void {
    const before = this.read(size, this.size)
    this.#pending.push({ _tag: "Truncation", size, before, sizeBefore: this.size })
    this.#now.resize(size)
  }

  sync(): void {
    for (const change of this.#pending) this.#onDisk?.apply(change)
    this.#pending = []
  }

  /** The error is told once; what was dirty counts as clean from now on. */
  failSync(): void {
    if (this.#pending.length === 0) return
    if (this.#onDisk === undefined) {
      this.#onDisk = this.#now.copy()
      for (const change of this.#pending.toReversed()) this.#onDisk.undo(change)
    }
    this.#dropped += this.#pending.length
    this.#pending = []
  }

  /** Flips a bit, in memory and on the disk. */
  flip(offset: number, bit: number): void {
    this.#now.flip(offset, bit)
    this.#onDisk?.flip(offset, bit)
  }

  /**
   * The power fails; `survives` is asked about each change that was pending, in order. Returns how many changes were lost or
   * torn. What is left is on the disk.
   */
  losePower(survives: (nth: number) => Survival): number {
    const changes = this.#pending
    if (this.#onDisk === undefined) for (const change of changes.toReversed()) this.#now.undo(change)
    else this.#now = this.#onDisk
    let harmed = this.#dropped
    this.#onDisk = undefined
    this.#dropped = 0
    this.#pending = []
    for (const [nth, change] of changes.entries()) {
      const survival = survives(nth)
      const kept = survival === "lost" ? undefined : survival === "torn" ? torn(change) : change
      if (kept !== change) harmed++
      if (kept !== undefined) this.#now.apply(kept)
    }
    return harmed
  }
}

/** Bytes that grow and shrink. */
class Bytes {
  #bytes = new Uint8Array(0)
  #size = 0

  get size(): number {
    return this.#size
  }

  copy(): Bytes {
    const copy = new Bytes()
    copy.put(0, this.read(0, this.#size))
    return copy
  }

  read(offset: number, length: number): Uint8Array {
    return this.#bytes.slice(Math.min(offset, this.#size), Math.min(offset + length, this.#size))
  }

  apply(change: Change): void {
    if (change._tag === "Write") this.put(change.offset, change.data)
    else this.resize(change.size)
  }

  undo(change: Change): void {
    this.resize(change.sizeBefore)
    this.#bytes.set(change.before, change._tag === "Write" ? change.offset : change.size)
  }

  put(offset: number, data: Uint8Array): void {
    if (offset + data.length > this.#size) this.resize(offset + data.length)
    this.#bytes.set(data, offset)
  }

  flip(offset: number, bit: number): void {
    if (offset < this.#size) this.#bytes[offset] = (this.#bytes[offset] as number) ^ (1 << bit)
  }

  /** What lies beyond the end is zero, so that a file that grows reads as zeros there. */
  resize(size: number): void {
    if (size > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(size, this.#bytes.length * 2, 64))
      bytes.set(this.#bytes)
      this.#bytes = bytes
    }
    if (size < this.#size) this.#bytes.fill(0, size, this.#size)
    this.#size = size
  }
}

/** The first half of the sectors; the change itself where it lies in one sector, which is written whole. */
function torn(change: Change): Change | undefined {
  if (change._tag === "Truncation") return change
  const { data, offset } = change
  const first = Math.floor(offset / sectorBytes)
  const last = Math.floor((offset + data.length - 1) / sectorBytes)
  if (data.length === 0 || first === last) return change
  const cut = (first + Math.ceil((last - first) / 2)) * sectorBytes - offset
  return { ...change, data: data.subarray(0, cut) }
}
