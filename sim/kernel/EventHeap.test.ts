import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Event, EventHeap } from "./EventHeap.ts"

const event = (atMicros: number, sequence: number): Event => ({
  atMicros,
  sequence,
  cause: 0,
  run: () => undefined,
  argument: undefined,
  cancelled: false,
  isQueued: false,
  next: undefined
})

/** Few, and some alike in their low bits. */
const instant = fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 2 })).map(([low, high]) => low + high * 1_024)

describe("EventHeap", () => {
  it("gives events by time, and those of one instant in the order they were set, however pushes and pops mix", () => {
    fc.assert(
      fc.property(fc.array(fc.option(instant, { nil: undefined })), (script) => {
        const heap = new EventHeap()
        const model: Array<Event> = []
        for (const [sequence, atMicros] of script.entries()) {
          if (atMicros === undefined) {
            model.sort((left, right) => left.atMicros - right.atMicros || left.sequence - right.sequence)
            assert.strictEqual(heap.pop(), model.shift())
          } else {
            const pushed = event(atMicros, sequence)
            heap.push(pushed)
            model.push(pushed)
          }
          if (model.length === 0) assert.isUndefined(heap.peek())
        }
      })
    )
  })
})
