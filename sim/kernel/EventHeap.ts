/**
 * Timed events in order of (time, sequence): a binary heap of plain objects, in which events of the same instant hang on one
 * another. Cancelling marks the event; the mark is honoured when it surfaces.
 *
 * - H1 Sequences only grow: an event that is pushed comes after every other of its instant.
 */

export interface Event {
  readonly atMicros: number
  readonly sequence: number
  /** The fact that set it. */
  readonly cause: number
  readonly run: (argument: never) => void
  readonly argument: unknown
  cancelled: boolean
  isQueued: boolean
  /** The next one of the same instant. */
  next: Event | undefined
}

/** How many instants are remembered, a power of two; one forgotten costs a place in the heap, not the order. */
const instants = 1_024

export class EventHeap {
  readonly #events: Array<Event> = []
  /** The last event of an instant, under the low bits of its time. */
  readonly #last: Array<Event | undefined> = Array.from({ length: instants }, () => undefined)

  peek(): Event | undefined {
    return this.#events[0]
  }

  push(event: Event): void {
    const slot = event.atMicros & (instants - 1)
    const last = this.#last[slot]
    this.#last[slot] = event
    event.isQueued = true
    if (last !== undefined && last.atMicros === event.atMicros && last.isQueued) {
      last.next = event
      return
    }
    const events = this.#events
    let index = events.length
    events.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = events[parent] as Event
      if (!isBefore(event, above)) break
      events[index] = above
      index = parent
    }
    events[index] = event
  }

  pop(): Event | undefined {
    const events = this.#events
    const top = events[0]
    if (top === undefined) return undefined
    top.isQueued = false
    if (top.next !== undefined) {
      events[0] = top.next
      top.next = undefined
      return top
    }
    const slot = top.atMicros & (instants - 1)
    if (this.#last[slot] === top) this.#last[slot] = undefined
    const last = events.pop() as Event
    const length = events.length
    if (length === 0) return top
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= length) break
      let below = events[child] as Event
      const right = child + 1
      if (right < length) {
        const other = events[right] as Event
        if (isBefore(other, below)) {
          child = right
          below = other
        }
      }
      if (!isBefore(below, last)) break
      events[index] = below
      index = child
    }
    events[index] = last
    return top
  }
}

function isBefore(left: Event, right: Event): boolean {
  return left.atMicros < right.atMicros || (left.atMicros === right.atMicros && left.sequence < right.sequence)
}
