/**
 * Server-sent events out of pieces of text, as the HTML standard reads them (section 9.2.6), as far as the control plane sends them: lines
 * end with "\n" or "\r\n". Pure. The browser's own reader cannot send the header that says who asks.
 */

export interface ServerSentEvent {
  readonly event: string
  /** Its own; undefined where it has none. */
  readonly id: string | undefined
  readonly data: string
}

export interface Read {
  readonly events: ReadonlyArray<ServerSentEvent>
  /** What is not whole yet. It goes before the next piece. */
  readonly rest: string
}

/** An event is whole behind its empty line. */
export const read = (rest: string, piece: string): Read => {
  const lines = (rest + piece).split("\n")
  const events: Array<ServerSentEvent> = []
  let begun: Array<string> = []
  // What is behind the last end of a line is no line yet.
  for (const line of lines.slice(0, -1)) {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line
    if (text !== "") {
      begun.push(text)
      continue
    }
    const event = eventOf(begun)
    if (event !== undefined) events.push(event)
    begun = []
  }
  return { events, rest: [...begun, lines.at(-1)].join("\n") }
}

/** Without data it is none. */
function eventOf(lines: ReadonlyArray<string>): ServerSentEvent | undefined {
  let event = "message"
  let id: string | undefined
  const data: Array<string> = []
  for (const line of lines) {
    const colon = line.indexOf(":")
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (field === "event") event = value
    else if (field === "id") id = value
    else if (field === "data") data.push(value)
  }
  return data.length === 0 ? undefined : { event, id, data: data.join("\n") }
}
