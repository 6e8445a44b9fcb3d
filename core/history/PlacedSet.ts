/**
 * Which operations have been placed, and the memory of all (set, state) that the search has been in.
 *
 * - P1 Answered operations come first, by the time they were called: then all below some word are placed, none above another, and
 *   only the few words between need to be remembered, however long the history. Those without an answer, which may stay
 *   unplaced for ever, have words of their own at the end.
 */
import type { MemoryBudget } from "./MemoryBudget.ts"

const chunkInts = 1 << 16
/** The first grows to that: most histories are short. */
const firstInts = 1 << 9
/** hash, state, first word, count of words */
const headInts = 4
const full = -1

export class PlacedSet {
  readonly #memory: MemoryBudget
  /** Words of answered operations; after them those of the others. */
  readonly #answeredWords: number
  readonly #words: Int32Array
  readonly #keys: Int32Array
  #hash = 0
  /** The first word that is not full, and the last that is not empty: of the answered ones. */
  #low = 0
  #high = -1

  #table: Int32Array
  #remembered = 0
  readonly #chunks: Array<Int32Array> = []
  #chunkUsed = chunkInts
  #bytes = 0

  constructor(answered: number, unanswered: number, memory: MemoryBudget) {
    this.#memory = memory
    this.#answeredWords = (answered + 31) >>> 5
    this.#words = new Int32Array(this.#answeredWords + ((unanswered + 31) >>> 5))
    this.#keys = Int32Array.from({ length: this.#words.length * 32 }, (_, index) => avalanche(index + 1))
    this.#table = new Int32Array(1 << 10)
    if (memory.take(this.#table.byteLength)) this.#bytes = this.#table.byteLength
  }

  /** The bit of the nth unanswered operation. */
  unansweredBit(nth: number): number {
    return this.#answeredWords * 32 + nth
  }

  place(bit: number): void {
    const word = bit >>> 5
    this.#words[word]! |= 1 << (bit & 31)
    this.#hash ^= this.#keys[bit]!
    if (word >= this.#answeredWords) return
    if (word > this.#high) this.#high = word
    while (this.#low < this.#answeredWords && this.#words[this.#low] === full) this.#low++
  }

  remove(bit: number): void {
    const word = bit >>> 5
    this.#words[word]! &= ~(1 << (bit & 31))
    this.#hash ^= this.#keys[bit]!
    if (word >= this.#answeredWords) return
    if (word < this.#low) this.#low = word
    while (this.#high >= 0 && this.#words[this.#high] === 0) this.#high--
  }

  /** Whether the search has not yet been here, in this state; `undefined` where there is no memory to know it by. */
  isNew(state: number): boolean | undefined {
    const hash = avalanche(this.#hash ^ Math.imul(state + 1, 0x9e3779b1))
    const mask = this.#table.length - 1
    let slot = hash & mask
    for (;;) {
      const row = this.#table[slot]!
      if (row === 0) break
      if (this.#isRow(row - 1, hash, state)) return false
      slot = (slot + 1) & mask
    }
    const row = this.#write(hash, state)
    if (row === undefined) return undefined
    this.#table[slot] = row + 1
    this.#remembered++
    if (this.#remembered * 2 > this.#table.length && !this.#grow()) return undefined
    return true
  }

  release(): void {
    this.#memory.giveBack(this.#bytes)
    this.#bytes = 0
    this.#chunks.length = 0
    this.#table = new Int32Array(0)
  }

  #isRow(row: number, hash: number, state: number): boolean {
    const chunk = this.#chunks[Math.floor(row / chunkInts)]!
    const at = row % chunkInts
    if (chunk[at] !== hash || chunk[at + 1] !== state || chunk[at + 2] !== this.#low) return false
    const count = Math.max(0, this.#high - this.#low + 1)
    if (chunk[at + 3] !== count) return false
    let from = at + headInts
    for (let word = this.#low; word < this.#low + count; word++) if (chunk[from++] !== this.#words[word]) return false
    for (let word = this.#answeredWords; word < this.#words.length; word++) {
      if (chunk[from++] !== this.#words[word]) return false
    }
    return true
  }

  #write(hash: number, state: number): number | undefined {
    const count = Math.max(0, this.#high - this.#low + 1)
    const ints = headInts + count + this.#words.length - this.#answeredWords
    const only = this.#chunks.length === 1 ? this.#chunks[0]! : undefined
    if (only !== undefined && only.length < chunkInts && this.#chunkUsed + ints > only.length) {
      const length = Math.min(chunkInts, Math.max(2 * only.length, 2 ** Math.ceil(Math.log2(this.#chunkUsed + ints))))
      if (!this.#memory.take((length - only.length) * 4)) return undefined
      this.#bytes += (length - only.length) * 4
      const grown = new Int32Array(length)
      grown.set(only)
      this.#chunks[0] = grown
    }
    if (this.#chunkUsed + ints > chunkInts) {
      // More than two million operations without an answer: no search would come to an end with them.
      const length = this.#chunks.length > 0 || ints > firstInts ? chunkInts : firstInts
      if (ints > chunkInts || !this.#memory.take(length * 4)) return undefined
      this.#bytes += length * 4
      this.#chunks.push(new Int32Array(length))
      this.#chunkUsed = 0
    }
    const chunk = this.#chunks.at(-1)!
    const at = this.#chunkUsed
    chunk[at] = hash
    chunk[at + 1] = state
    chunk[at + 2] = this.#low
    chunk[at + 3] = count
    let to = at + headInts
    for (let word = this.#low; word < this.#low + count; word++) chunk[to++] = this.#words[word]!
    for (let word = this.#answeredWords; word < this.#words.length; word++) chunk[to++] = this.#words[word]!
    this.#chunkUsed = to
    return (this.#chunks.length - 1) * chunkInts + at
  }

  #grow(): boolean {
    const old = this.#table
    if (!this.#memory.take(old.byteLength * 2)) return false
    this.#table = new Int32Array(old.length * 2)
    const mask = this.#table.length - 1
    for (const row of old) {
      if (row === 0) continue
      let slot = this.#chunks[Math.floor((row - 1) / chunkInts)]![(row - 1) % chunkInts]! & mask
      while (this.#table[slot] !== 0) slot = (slot + 1) & mask
      this.#table[slot] = row
    }
    this.#memory.giveBack(old.byteLength)
    this.#bytes += old.byteLength
    return true
  }
}

/** The last rounds of MurmurHash3 (Appleby, public domain): every bit of the number reaches every bit of the hash. */
function avalanche(number: number): number {
  let hash = number
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
