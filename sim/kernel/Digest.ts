/**
 * The rolling digest of a run: two 32-bit lanes over everything that happened, in order. Two runs with equal digests
 * took the same steps; it is no cryptographic hash.
 */
import * as Chance from "./Chance.ts"

/** Words that stand for what is no integer and no text; drawn, so that no integer of a run is likely to be one of them. */
const shape = {
  null: 0x2b7e1516,
  true: 0x28aed2a6,
  false: 0x4bf71588,
  fraction: 0x09cf4f3c,
  bigint: 0x6bc1bee2,
  bytes: 0x2e409f96,
  list: 0x3d7e1173,
  collection: 0x13931722,
  object: 0x1e2d8a57,
  end: 0x2e03ac9c,
  other: 0x1fb76f0a
} as const

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

  /** Texts that repeat (names, tags, labels) are short and few, and hashed once. */
  hashText(text: string): number {
    if (text.length > 24) return Chance.hashText(text)
    let hash = this.#texts.get(text)
    if (hash === undefined) {
      hash = Chance.hashText(text)
      if (this.#texts.size < 8_192) this.#texts.set(text, hash)
    }
    return hash
  }

  mixBytes(bytes: Uint8Array): void {
    let hash = 0x811c9dc5
    for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193)
    this.mix(bytes.length)
    this.mix(hash)
  }

  /** Any plain value, by structure: values that differ in shape or type differ here. Keys count in the order they were written in. */
  mixValue(value: unknown): void {
    switch (typeof value) {
      case "number":
        if (Number.isInteger(value)) return this.mix(value)
        this.mix(shape.fraction)
        return this.mixText(String(value))
      case "string":
        return this.mixText(value)
      case "boolean":
        return this.mix(value ? shape.true : shape.false)
      case "bigint":
        this.mix(shape.bigint)
        return this.mixText(value.toString())
      case "object": {
        if (value === null) return this.mix(shape.null)
        if (value.constructor === Object) return this.#mixObject(value as Record<string, unknown>)
        if (value instanceof Uint8Array) {
          this.mix(shape.bytes)
          return this.mixBytes(value)
        }
        if (Array.isArray(value)) {
          this.mix(shape.list)
          this.mix(value.length)
          for (const item of value) this.mixValue(item)
          return
        }
        if (value instanceof Map || value instanceof Set) {
          this.mix(shape.collection)
          this.mix(value.size)
          for (const item of value) this.mixValue(item)
          return
        }
        return this.#mixObject(value as Record<string, unknown>)
      }
      default:
        return this.mix(shape.other)
    }
  }

  #mixObject(value: Record<string, unknown>): void {
    this.mix(shape.object)
    for (const key in value) {
      this.mixText(key)
      this.mixValue(value[key])
    }
    this.mix(shape.end)
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
