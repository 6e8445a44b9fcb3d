/**
 * FNV-1a, 32 bits, over the UTF-8 bytes of a text (Fowler, Noll, Vo; the same numbers as Go's `hash/fnv` New32a).
 * Returns an unsigned integer.
 */
const offsetBasis = 0x811c9dc5
const prime = 0x01000193

export const fnv1a32 = (text: string): number => {
  let hash = offsetBasis
  for (let index = 0; index < text.length; index++) {
    const code = text.codePointAt(index)!
    if (code < 0x80) {
      hash = mix(hash, code)
    } else if (code < 0x800) {
      hash = mix(mix(hash, 0xc0 | (code >> 6)), 0x80 | (code & 0x3f))
    } else if (code < 0x10000) {
      hash = mix(mix(mix(hash, 0xe0 | (code >> 12)), 0x80 | ((code >> 6) & 0x3f)), 0x80 | (code & 0x3f))
    } else {
      hash = mix(mix(hash, 0xf0 | (code >> 18)), 0x80 | ((code >> 12) & 0x3f))
      hash = mix(mix(hash, 0x80 | ((code >> 6) & 0x3f)), 0x80 | (code & 0x3f))
      index++
    }
  }
  return hash >>> 0
}

function mix(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, prime)
}
