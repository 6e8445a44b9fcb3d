/**
 * The rolling digest of a run: two 32-bit lanes over everything that happened, in order. Two runs with equal digests
 * took the same steps; it is no cryptographic hash.
 */
import * as Chance from "./Chance.ts"

export class Digest {
  #low = 0x243f6a88
  #high = 0x85a308d3
  readonly #texts = new Map<string, number>()

  /** Mixes an integer. Beyond 32 bits the high part counts too. */
  mix(value: number): void {
    const low = value | 0
    const word = low === value ? low : low ^ ((value / 4294967296) | 0)
    this.#low = Math.imul(this.#low ^ word, 0x9e3779b1)
    this.#low ^= this.#low >>> 15
    this.#high = (Math.imul(this.#high, 0x85ebca77) + this.#low) | 0
  }

  mixText(text: string): void {
    // Short texts repeat (names, tags, labels); hashing each once keeps the hot path at one look-up.
    if (text.length > 64) return this.mix(Chance.hashText(text))
    let hash = this.#texts.get(text)
    if (hash === undefined) {
      hash = Chance.hashText(text)
      if (this.#texts.size < 65536) this.#texts.set(text, hash)
    }
    this.mix(hash)
  }

  mixBytes(bytes: Uint8Array): void {
    let hash = 0x811c9dc5
    for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193)
    this.mix(bytes.length)
    this.mix(hash)
  }

  /** Any plain value, by structure; object keys count in their own order, which is how they were written. */
  mixValue(value: unknown): void {
    switch (typeof value) {
      case "number":
        return Number.isInteger(value) ? this.mix(value) : this.mixText(String(value))
      case "string":
        return this.mixText(value)
      case "boolean":
        return this.mix(value ? 1 : 2)
      case "bigint":
        return this.mixText(value.toString())
      case "object": {
        if (value === null) return this.mix(3)
        if (value instanceof Uint8Array) return this.mixBytes(value)
        if (Array.isArray(value)) {
          this.mix(value.length)
          for (const item of value) this.mixValue(item)
          return
        }
        if (value instanceof Map || value instanceof Set) {
          this.mix(value.size)
          for (const item of value) this.mixValue(item)
          return
        }
        for (const key in value) {
          this.mixText(key)
          this.mixValue((value as Record<string, unknown>)[key])
        }
        return
      }
      default:
        return this.mix(4)
    }
  }

  /** 16 hex digits of what was mixed so far. */
  get value(): string {
    return hex(this.#low) + hex(this.#high)
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0")
}
