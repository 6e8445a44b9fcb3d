/**
 * What a server says: read as far as a multiplexer must know it, and written where the multiplexer is the server.
 */
import { type Frame, bodyOffset, concat, cstring, frame, int32, readCstring, viewOf } from "./Frames.ts"

/** Idle, in a transaction, in one that has failed. */
export type Status = "I" | "T" | "E"

export const statusOf = (ready: Frame): Status => String.fromCharCode(ready.bytes[5] as number) as Status

/** "INSERT 0 1", "COMMIT", …, of a message that says so. */
export const tagOf = (complete: Frame): string => readCstring(complete.bytes, bodyOffset(complete))[0]

/** The channel of a notification. */
export const channelOf = (notification: Frame): string => readCstring(notification.bytes, 9)[0]

/** A description of rows that does not say which tables they are of: those numbers differ from one creation to the next. */
export const withoutTableIds = (description: Frame): Frame => {
  const bytes = description.bytes.slice()
  const view = viewOf(bytes)
  let offset = 7
  for (let left = view.getInt16(5); left > 0; left--) {
    const [, next] = readCstring(bytes, offset)
    view.setInt32(next, 0)
    // Table, column, type, its size, its modifier, the format.
    offset = next + 4 + 2 + 4 + 2 + 4 + 2
  }
  return { type: description.type, bytes }
}

/** The columns of a row in text form, as a simple query gives them. */
export const textsOf = (row: Frame): ReadonlyArray<string | null> => {
  const { bytes } = row
  const view = viewOf(bytes)
  const texts: Array<string | null> = []
  let offset = 7
  for (let left = view.getInt16(5); left > 0; left--) {
    const length = view.getInt32(offset)
    offset += 4
    texts.push(length < 0 ? null : decoder.decode(bytes.subarray(offset, offset + length)))
    offset += Math.max(0, length)
  }
  return texts
}

/** The fields of an error or notice by their letters: `C` is the SQLSTATE, `M` the message. */
export const fieldsOf = (error: Frame): Readonly<Record<string, string>> => {
  const fields: Record<string, string> = {}
  for (let offset = bodyOffset(error); error.bytes[offset] !== 0;) {
    const [text, next] = readCstring(error.bytes, offset + 1)
    fields[String.fromCharCode(error.bytes[offset] as number)] = text
    offset = next
  }
  return fields
}

export interface Problem {
  /** SQLSTATE. */
  readonly code: string
  readonly message: string
}

/** `FATAL` ends the connection, `ERROR` the statement. */
export const errorResponse = (severity: "ERROR" | "FATAL", { code, message }: Problem): Uint8Array =>
  frame("E", ...[`S${severity}`, `V${severity}`, `C${code}`, `M${message}`, ""].map(cstring))

export const readyForQuery = (status: Status): Uint8Array => frame("Z", encoder.encode(status))

/** The answer to a startup: nobody is asked for a password, for whoever gets here is in the same process. */
export const welcome = (options: {
  readonly processId: number
  readonly secret: number
  readonly parameters: Readonly<Record<string, string>>
}): Uint8Array =>
  concat([
    frame("R", int32(0)),
    ...Object.entries(options.parameters).map(([name, value]) => frame("S", cstring(name), cstring(value))),
    frame("K", int32(options.processId), int32(options.secret)),
    readyForQuery("I")
  ])

/** The answer to whether the connection can be encrypted: no. */
export const notEncrypted = (): Uint8Array => encoder.encode("N")

const encoder = new TextEncoder()
const decoder = new TextDecoder()
