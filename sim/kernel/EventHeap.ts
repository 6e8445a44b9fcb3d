/**
 * Timed events in order of (time, sequence): a binary heap of plain objects. Cancelling marks the event; the mark is
 * honoured when it surfaces.
 */

export interface Event {
  readonly atMicros: number
  readonly sequence: number
  /** The fact that set it. */
  readonly cause: number
  readonly run: (argument: never) => void
  readonly argument: unknown
  cancelled: boolean
}

export class EventHeap {
  readonly #events: Array<Event> = []

  get size(): number {
    return this.#events.length
  }

  peek(): Event | undefined {
    return this.#events[0]
  }

  push(event: Event): void {
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
    const last = events.pop()
    const length = events.length
    if (last === undefined || length === 0) return top
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
