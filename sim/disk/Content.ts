/**
 * The bytes of a file: what is read now, and what of it is left when the power fails.
 *
 * - C1 What was written before the last successful sync survives a loss of power.
 * - C2 Of the writes since, each survives or not by itself; those that survive are applied in the order in which they were made.
 * - C3 What a failed sync should have saved is never saved by a later one: the system has forgotten that it is dirty ("fsyncgate").
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
  state: State
}

interface Truncation {
  readonly _tag: "Truncation"
  readonly size: number
  /** What was cut off. */
  readonly before: Uint8Array
  readonly sizeBefore: number
  state: State
}

type Change = Write | Truncation
type State = "pending" | "synced" | "dropped"

/** How much of the nth unsynced change survives: all, nothing, or whole sectors up to a place in it. */
export type Survival = "whole" | "lost" | "torn"

export class Content {
  #bytes = new Uint8Array(0)
  #size = 0
  /** In order. Empty when everything is on the disk. */
  #changes: Array<Change> = []

  get size(): number {
    return this.#size
  }

  /** Changes that a loss of power may undo. */
  get unsynced(): number {
    return this.#changes.filter(({ state }) => state !== "synced").length
  }

  /** Of these, those that may still reach the disk: what `losePower` asks about. */
  get pending(): number {
    return this.#changes.filter(({ state }) => state === "pending").length
  }

  /** A copy of what stands there; short at the end of the file. */
  read(offset: number, length: number): Uint8Array {
    return this.#bytes.slice(Math.min(offset, this.#size), Math.min(offset + length, this.#size))
  }

  write(offset: number, data: Uint8Array): void {
    this.#changes.push({
      _tag: "Write",
      offset,
      data: data.slice(),
      before: this.read(offset, data.length),
      sizeBefore: this.#size,
      state: "pending"
    })
    this.#put(offset, data)
  }

  truncate(size: number): void {
    this.#changes.push({
      _tag: "Truncation",
      size,
      before: this.read(size, this.#size),
      sizeBefore: this.#size,
      state: "pending"
    })
    this.#resize(size)
  }

  sync(): void {
    for (const change of this.#changes) if (change.state === "pending") change.state = "synced"
    if (this.#changes.every(({ state }) => state === "synced")) this.#changes = []
  }

  /** The error is told once; what was dirty counts as clean from now on. */
  failSync(): void {
    for (const change of this.#changes) if (change.state === "pending") change.state = "dropped"
  }

  /** Flips a bit, in memory and on the disk. */
  flip(offset: number, bit: number): void {
    this.#bytes[offset] = (this.#bytes[offset] as number) ^ (1 << bit)
  }

  /**
   * The power fails; `survives` is asked about each change that was pending, in order. Returns how many changes were lost or
   * torn. What is left is on the disk.
   */
  losePower(survives: (nth: number) => Survival): number {
    const changes = this.#changes
    this.#changes = []
    for (const change of changes.toReversed()) this.#undo(change)
    let harmed = 0
    let nth = 0
    for (const change of changes) {
      const survival = change.state === "synced" ? "whole" : change.state === "dropped" ? "lost" : survives(nth++)
      const kept = survival === "lost" ? undefined : survival === "torn" ? torn(change) : change
      if (kept !== change) harmed++
      if (kept !== undefined) this.#apply(kept)
    }
    return harmed
  }

  #apply(change: Change): void {
    if (change._tag === "Write") this.#put(change.offset, change.data)
    else this.#resize(change.size)
  }

  #undo(change: Change): void {
    this.#resize(change.sizeBefore)
    this.#bytes.set(change.before, change._tag === "Write" ? change.offset : change.size)
  }

  #put(offset: number, data: Uint8Array): void {
    if (offset + data.length > this.#size) this.#resize(offset + data.length)
    this.#bytes.set(data, offset)
  }

  /** What lies beyond the end is zero, so that a file that grows reads as zeros there. */
  #resize(size: number): void {
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
