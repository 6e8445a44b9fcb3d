import { assert, describe, it, vi } from "@effect/vitest"
import * as fc from "fast-check"
import { BadFrame, Frames, concat, cstring, frame, framesOf, int32 } from "./Frames.ts"
import * as Frontend from "./Frontend.ts"

const bytes = fc.uint8Array({ maxLength: 40 })
const typed = fc.tuple(fc.constantFrom(..."PBDECSQHX"), bytes).map(([type, body]) => frame(type, body))

/** The same bytes, cut at any places. */
const cutAnywhere = (all: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const places = [0, ...cuts.map((cut) => cut % (all.length + 1)), all.length].toSorted((a, b) => a - b)
  return places.slice(1).map((end, index) => all.subarray(places[index], end))
}

describe("the wire as messages", () => {
  it("gives the same messages however the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(typed, { maxLength: 8 }), fc.array(fc.nat(), { maxLength: 12 }), (messages, cuts) => {
        const opening = frame("", int32(196608), cstring("user"), cstring("me"), cstring(""))
        const frames = new Frames()
        let isTyped = false
        const seen: Array<Uint8Array> = []
        for (const piece of cutAnywhere(concat([opening, ...messages]), cuts)) {
          for (const { bytes } of frames.push(piece, () => isTyped)) {
            seen.push(bytes.slice())
            isTyped = true
          }
        }
        assert.deepStrictEqual(seen, [opening, ...messages])
      })
    )
  })

  it("keeps an unfinished message until the rest of it comes", () => {
    const frames = new Frames()
    const query = Frontend.query("select 1")
    assert.deepStrictEqual([...frames.push(query.subarray(0, query.length - 1), () => true)], [])
    assert.deepStrictEqual([...frames.push(query.subarray(-1), () => true)], [{ type: "Q", bytes: query }])
  })

  it("copies a large message in small pieces once, not with every piece", () => {
    const query = Frontend.query("x".repeat(100_000))
    const set = vi.spyOn(Uint8Array.prototype, "set")
    try {
      const frames = new Frames()
      const seen = [...Array(Math.ceil(query.length / 100)).keys()].flatMap((nth) => [
        ...frames.push(query.subarray(nth * 100, (nth + 1) * 100), () => true)
      ])
      const copied = set.mock.calls.reduce((sum, [bytes]) => sum + bytes.length, 0)
      assert.deepStrictEqual(seen, [{ type: "Q", bytes: query }])
      assert.isAtMost(copied, 2 * query.length)
    } finally {
      set.mockRestore()
    }
  })

  it("refuses lengths that no message has", () => {
    const tooLong = new Uint8Array([81, 0x7f, 0xff, 0xff, 0xff])
    const tooShort = new Uint8Array([81, 0, 0, 0, 3])
    for (const piece of [tooLong, tooShort]) {
      assert.throws(() => [...new Frames().push(piece, () => true)], BadFrame)
    }
  })

  it("renames the statements of a connection wherever they are named, and nothing else", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9_]{1,12}$/), bytes, (name, rest) => {
        const naming = [
          frame("P", cstring(name), cstring("select 1"), rest),
          frame("B", cstring("portal"), cstring(name), rest),
          frame("C", cstring(`S${name}`)),
          frame("D", cstring(`S${name}`))
        ]
        for (const message of framesOf(concat(naming))) {
          const renamed = Frontend.renamed(message, (old) => `c7_${old}`)
          assert.strictEqual(Frontend.statementName(renamed), `c7_${name}`)
          const back = Frontend.renamed(renamed, (long) => long.slice("c7_".length))
          assert.deepStrictEqual(back.bytes, message.bytes)
        }
        const others = [frame("C", cstring(`P${name}`)), frame("E", cstring(name), rest), frame("S")]
        for (const message of framesOf(concat(others))) {
          assert.deepStrictEqual(Frontend.renamed(message, () => "else").bytes, message.bytes)
        }
      })
    )
  })

  it("leaves the unnamed statement unnamed", () => {
    const [parse] = framesOf(frame("P", cstring(""), cstring("select 1"), new Uint8Array(2)))
    assert.deepStrictEqual(Frontend.renamed(parse!, () => "else").bytes, parse!.bytes)
  })

  it("reads who opens a connection, and what for", () => {
    const [startup] = new Frames().push(
      frame("", int32(196608), cstring("user"), cstring("me"), cstring("Lock_Timeout"), cstring("750"), cstring("")),
      () => false
    )
    assert.deepStrictEqual(Frontend.opening(startup!), {
      _tag: "Startup",
      parameters: { user: "me", lock_timeout: "750" }
    })
    const [cancel] = new Frames().push(frame("", int32(80877102), int32(7), int32(-3)), () => false)
    assert.deepStrictEqual(Frontend.opening(cancel!), { _tag: "Cancel", processId: 7, secret: -3 })
    const [old] = new Frames().push(frame("", int32(2 << 16)), () => false)
    assert.throws(() => Frontend.opening(old!), BadFrame)
  })
})
