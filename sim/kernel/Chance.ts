/**
 * Chance as a pure function: every decision of a run is a hash of a key and a count, never a draw from a shared stream.
 *
 * - C1 Taking one decision away leaves every other as it was; that is what makes plans editable and shrinking possible.
 * - C2 A seed's root comes from `seedrandom`; the keys below it are derived by name, so they survive refactoring.
 *
 * The integer hash is Murmur3's 32-bit finalizer (Appleby) over key and count: 3 ns, where constructing a generator
 * costs 7 us.
 */
import seedrandom from "seedrandom"

/** 32 bits that name a stream of decisions. */
export type Key = number

/** A seed is any text; numbers are usual. */
export type Seed = string

export const root = (seed: Seed): Key => seedrandom(`stormglass/${seed}`).int32()

/** The key of a named child: `derive(root, "network/a>b")`. */
export const derive = (parent: Key, name: string): Key => finalize(Math.imul(hashText(name), 0x9e3779b1) ^ parent)

/** 32 uniform bits for the nth decision under `key`. */
export const bits = (key: Key, nth: number): number => finalize((key ^ Math.imul(nth + 1, 0x9e3779b1)) | 0)

/** Uniform in [0, 1) with a resolution of 2^-32. */
export const fraction = (key: Key, nth: number): number => bits(key, nth) / 4294967296

/** True with the probability given. */
export const happens = (key: Key, nth: number, probability: number): boolean =>
  probability > 0 && fraction(key, nth) < probability

/** Uniform integer in [minimum, maximum], both included. */
export const integer = (key: Key, nth: number, minimum: number, maximum: number): number =>
  minimum + Math.floor(fraction(key, nth) * (maximum - minimum + 1))

/** Uniform choice; dies on an empty list. */
export const pick = <A>(key: Key, nth: number, from: ReadonlyArray<A>): A => {
  if (from.length === 0) throw new Error("nothing to pick from")
  return from[integer(key, nth, 0, from.length - 1)] as A
}

/** A stream of its own. */
export interface Generator {
  /** 32 uniform bits. */
  readonly int32: () => number
  /** Uniform in [0, 1) with 53 bits. */
  readonly double: () => number
}

/** A generator for code that draws in sequence, such as a node's `Random`. */
export const generator = (key: Key): Generator => seedrandom(`stormglass/stream/${key}`)

/** FNV-1a, 32 bits, over UTF-16 code units. */
export const hashText = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash
}

function finalize(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
