/**
 * The Postgres wire as messages: bytes come in pieces of any size, whole messages come out.
 *
 * - F1 How a stream is cut into pieces changes nothing about the messages that come out of it.
 * - F2 What is left over is kept, and never more than one unfinished message.
 * Absent on purpose: what messages mean. That is in Frontend.ts and Backend.ts.
 */

/** A whole message as it stood on the wire, length included. */
export interface Frame {
  /** The type's letter; "" for the first messages of a client, which have none. */
  readonly type: string
  readonly bytes: Uint8Array
}

/** A message longer than this is no message: the stream is not what it should be. */
export const frameBytesMax = 64 * 1024 * 1024

/** The stream cannot be understood; whoever sent it is not speaking this protocol. */
export class BadFrame extends Error {
  override readonly name = "BadFrame"
}

/** Where in a message its body begins. */
export const bodyOffset = ({ type }: Frame): number => (type === "" ? 4 : 5)

export class Frames {
  /**
   * The messages that this piece completes. `isTyped` is asked before each: the first messages of a client have no type.
   * Throws `BadFrame`.
   */
  *push(piece: Uint8Array, isTyped: () => boolean): Generator<Frame> {
    this.#rest.push(piece)
    this.#restLength += piece.length
    // Put together once, when that makes a message: a large one in small pieces would else be copied with every piece.
    if (this.#restLength < this.#needed) return
    let bytes = concat(this.#rest)
    for (;;) {
      const typed = isTyped()
      const lengthAt = typed ? 1 : 0
      this.#keep(bytes, lengthAt + 4)
      if (bytes.length < lengthAt + 4) return
      const length = viewOf(bytes).getUint32(lengthAt)
      if (length < 4 || length > frameBytesMax) throw new BadFrame(`a message of ${length} bytes`)
      const end = lengthAt + length
      if (bytes.length < end) return this.#keep(bytes, end)
      const frame = { type: typed ? String.fromCharCode(bytes[0] as number) : "", bytes: bytes.subarray(0, end) }
      bytes = bytes.subarray(end)
      this.#keep(bytes, 0)
      yield frame
    }
  }

  /** What is left over, in order. */
  #rest: Array<Uint8Array> = []
  #restLength = 0
  /** With fewer bytes than this there is nothing new to learn. */
  #needed = 0

  #keep(bytes: Uint8Array, needed: number): void {
    this.#rest = bytes.length === 0 ? [] : [bytes]
    this.#restLength = bytes.length
    this.#needed = needed
  }
}

/** Every message of bytes that hold whole typed messages only. */
export const framesOf = (bytes: Uint8Array): ReadonlyArray<Frame> => {
  const frames: Array<Frame> = []
  for (let offset = 0; offset < bytes.length;) {
    const end = offset + 1 + viewOf(bytes).getUint32(offset + 1)
    frames.push({ type: String.fromCharCode(bytes[offset] as number), bytes: bytes.subarray(offset, end) })
    offset = end
  }
  return frames
}

export const concat = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (pieces.length === 1) return pieces[0] as Uint8Array
  const all = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0))
  let offset = 0
  for (const piece of pieces) {
    all.set(piece, offset)
    offset += piece.length
  }
  return all
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** A message of this type with this body; no type for those that have none. */
export const frame = (type: string, ...body: ReadonlyArray<Uint8Array>): Uint8Array => {
  const bytes = concat([new Uint8Array(type.length + 4), ...body])
  if (type !== "") bytes[0] = type.charCodeAt(0)
  viewOf(bytes).setUint32(type.length, bytes.length - type.length)
  return bytes
}

/** Text as it stands in messages, with the NUL that ends it. */
export const cstring = (text: string): Uint8Array => encoder.encode(`${text}\0`)

export const int32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  viewOf(bytes).setInt32(0, value)
  return bytes
}

/** The text at this place, and where the next thing begins. */
export const readCstring = (bytes: Uint8Array, offset: number): readonly [text: string, next: number] => {
  const end = bytes.indexOf(0, offset)
  if (end < 0) throw new BadFrame("a text without an end")
  return [decoder.decode(bytes.subarray(offset, end)), end + 1]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
