/**
 * What a client says, as far as a multiplexer must know it: who it is, what it runs, which statements it names.
 */
import { BadFrame, type Frame, bodyOffset, concat, cstring, frame, readCstring, viewOf } from "./Frames.ts"

/** The first message of a connection. */
export type Opening =
  /** A question whether the connection can be encrypted; answered with one letter. */
  | { readonly _tag: "Encryption" }
  | { readonly _tag: "Startup"; readonly parameters: Readonly<Record<string, string>> }
  | { readonly _tag: "Cancel"; readonly processId: number; readonly secret: number }

/** Throws `BadFrame`. */
export const opening = ({ bytes }: Frame): Opening => {
  const view = viewOf(bytes)
  if (bytes.length < 8) throw new BadFrame("an opening without a version")
  const version = view.getUint32(4)
  if (version === sslRequest || version === gssRequest) return { _tag: "Encryption" }
  if (version === cancelRequest) {
    if (bytes.length < 16) throw new BadFrame("a cancellation without a key")
    return { _tag: "Cancel", processId: view.getInt32(8), secret: view.getInt32(12) }
  }
  if (version >>> 16 !== 3) throw new BadFrame(`version ${version >>> 16} of the protocol`)
  const parameters: Record<string, string> = {}
  for (let offset = 8; offset < bytes.length && bytes[offset] !== 0;) {
    const [name, valueAt] = readCstring(bytes, offset)
    const [value, next] = readCstring(bytes, valueAt)
    parameters[name.toLowerCase()] = value
    offset = next
  }
  return { _tag: "Startup", parameters }
}

/** Messages after which the server answers all that was sent: what may follow belongs to another turn. */
export const endsTurn = ({ type }: Frame): boolean => type === "S" || type === "Q" || type === "H" || type === "F"

/** The text of a simple query. */
export const queryText = (query: Frame): string => readCstring(query.bytes, bodyOffset(query))[0]

export interface Parse {
  readonly name: string
  readonly text: string
}

export const parseOf = (parse: Frame): Parse => {
  const [name, next] = readCstring(parse.bytes, bodyOffset(parse))
  return { name, text: readCstring(parse.bytes, next)[0] }
}

/** The statement that the message names; undefined when it names none (a portal, or something else). */
export const statementName = (message: Frame): string | undefined => {
  const { bytes, type } = message
  const offset = bodyOffset(message)
  switch (type) {
    case "P":
      return readCstring(bytes, offset)[0]
    case "B":
      return readCstring(bytes, readCstring(bytes, offset)[1])[0]
    case "C":
    case "D":
      return bytes[offset] === letterS ? readCstring(bytes, offset + 1)[0] : undefined
    default:
      return undefined
  }
}

/** The same message about a statement of another name. The unnamed statement stays what it is. */
export const renamed = (message: Frame, rename: (name: string) => string): Frame => {
  const name = statementName(message)
  if (name === undefined || name === "") return message
  const { bytes, type } = message
  const offset = bodyOffset(message)
  const nameAt = type === "P" ? offset : type === "B" ? readCstring(bytes, offset)[1] : offset + 1
  const [, next] = readCstring(bytes, nameAt)
  return {
    type,
    bytes: frame(type, concat([bytes.subarray(offset, nameAt), cstring(rename(name)), bytes.subarray(next)]))
  }
}

export const query = (text: string): Uint8Array => frame("Q", cstring(text))
/** Runs a statement without parameters by the extended protocol; its end is still to be said. */
export const runOnce = (text: string): ReadonlyArray<Uint8Array> => [
  frame("P", cstring(""), cstring(text), new Uint8Array(2)),
  frame("B", cstring(""), cstring(""), new Uint8Array(6)),
  frame("E", cstring(""), new Uint8Array(4))
]
export const sync = (): Uint8Array => frame("S")
/** Forgets a prepared statement; one that there is not is no error. */
export const closeStatement = (name: string): Uint8Array => frame("C", cstring(`S${name}`))

const sslRequest = 80877103
const gssRequest = 80877104
const cancelRequest = 80877102
const letterS = 83
