/**
 * The rolling digest of a run: two 32-bit lanes over everything that happened, in order. Two runs with equal digests
 * took the same steps; it is no cryptographic hash.
 */
import * as Chance from "./Chance.ts"

export class Digest {
  #low = 0x243f6a88
  #high = 0x85a308d3
  readonly #texts = new Map<string, number>()

  /** Mixes an integer. */
  mix(value: number): void {
    let low = Math.imul(this.#low ^ word(value), 0x9e3779b1)
    this.#low = low ^= low >>> 15
    this.#high = (Math.imul(this.#high, 0x85ebca77) + low) | 0
  }

  /** Six integers at once, as `mix` one after the other: what every fact has. */
  mixFact(kind: number, atMicros: number, speaker: number, cause: number, first: number, second: number): void {
    let low = Math.imul(this.#low ^ word(kind), 0x9e3779b1)
    low ^= low >>> 15
    let high = (Math.imul(this.#high, 0x85ebca77) + low) | 0
    low = Math.imul(low ^ word(atMicros), 0x9e3779b1)
    low ^= low >>> 15
    high = (Math.imul(high, 0x85ebca77) + low) | 0
    low = Math.imul(low ^ word(speaker), 0x9e3779b1)
    low ^= low >>> 15
    high = (Math.imul(high, 0x85ebca77) + low) | 0
    low = Math.imul(low ^ word(cause), 0x9e3779b1)
    low ^= low >>> 15
    high = (Math.imul(high, 0x85ebca77) + low) | 0
    low = Math.imul(low ^ word(first), 0x9e3779b1)
    low ^= low >>> 15
    high = (Math.imul(high, 0x85ebca77) + low) | 0
    low = Math.imul(low ^ word(second), 0x9e3779b1)
    this.#low = low ^= low >>> 15
    this.#high = (Math.imul(high, 0x85ebca77) + low) | 0
  }

  mixText(text: string): void {
    this.mix(this.hashText(text))
  }

  /** Texts that repeat (names, tags, labels) are short, and hashed once. */
  hashText(text: string): number {
    if (text.length > 64) return Chance.hashText(text)
    let hash = this.#texts.get(text)
    if (hash === undefined) {
      hash = Chance.hashText(text)
      if (this.#texts.size < 65536) this.#texts.set(text, hash)
    }
    return hash
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
        if (value.constructor === Object) return this.#mixObject(value as Record<string, unknown>)
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
        return this.#mixObject(value as Record<string, unknown>)
      }
      default:
        return this.mix(4)
    }
  }

  #mixObject(value: Record<string, unknown>): void {
    for (const key in value) {
      this.mixText(key)
      this.mixValue(value[key])
    }
  }

  /** 16 hex digits of what was mixed so far. */
  get value(): string {
    return hex(this.#low) + hex(this.#high)
  }
}

/** 32 bits of an integer; beyond 32 bits the high part counts too. */
function word(value: number): number {
  const low = value | 0
  return low === value ? low : low ^ ((value / 4294967296) | 0)
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0")
}
