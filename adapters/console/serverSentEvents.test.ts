import { assert, describe, it } from "@effect/vitest"
import * as Sse from "effect/encoding/Sse"
import * as fc from "fast-check"
import { read, type ServerSentEvent } from "./serverSentEvents.ts"

const readAll = (pieces: ReadonlyArray<string>): ReadonlyArray<ServerSentEvent> => {
  const events: Array<ServerSentEvent> = []
  let rest = ""
  for (const piece of pieces) {
    const next = read(rest, piece)
    events.push(...next.events)
    rest = next.rest
  }
  return events
}

const cut = (text: string, at: ReadonlyArray<number>): ReadonlyArray<string> => {
  const places = [0, ...at.map((each) => each % (text.length + 1)).toSorted((a, b) => a - b), text.length]
  return places.slice(1).map((end, index) => text.slice(places[index], end))
}

describe("events out of pieces of text", () => {
  it("are the same however the text is cut, and those that Effect's reader finds", () => {
    const line = fc.oneof(
      fc.constantFrom(
        "event: changes",
        "event: bookmark",
        "id: 7:9",
        "id:",
        "data: {}",
        "data:  two",
        "data",
        ": hello"
      ),
      fc.constantFrom("", "")
    )
    const text = fc
      .tuple(fc.array(line, { maxLength: 30 }), fc.constantFrom("\n", "\r\n"))
      .map(([lines, end]) => lines.map((each) => each + end).join(""))
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 10 }), (text, at) => {
        const whole = readAll([text])
        assert.deepStrictEqual(readAll(cut(text, at)), whole)
        const known: Array<readonly [string, string]> = []
        const parser = Sse.makeParser((event) => {
          if (event._tag === "Event") known.push([event.event, event.data])
        })
        parser.feed(text)
        assert.deepStrictEqual(
          // Effect's passes over events without text, which the control plane does not send.
          whole.filter(({ data }) => data !== "").map(({ data, event }) => [event, data] as const),
          known.filter(([, data]) => data !== "")
        )
      })
    )
  })

  it("have an id of their own or none, and no end of a stream makes half an event whole", () => {
    const text = "id: t1\nevent: bookmark\ndata: {}\n\nevent: changes\ndata: {}\n\nevent: changes\ndata: {"
    assert.deepStrictEqual(readAll([text]), [
      { event: "bookmark", id: "t1", data: "{}" },
      { event: "changes", id: undefined, data: "{}" }
    ])
  })
})
