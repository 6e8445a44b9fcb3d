/**
 * The yardstick: the workload as a plain discrete-event loop with callbacks, a binary heap of objects and nothing else: no
 * tasks, no network, no digest.
 */
import {
  beatMillis,
  cutEveryMillis,
  cutMillis,
  latencyMillisMax,
  latencyMillisMin,
  mulberry32,
  nextCut,
  type Workload
} from "./Workload.ts"

interface Event {
  readonly atMillis: number
  readonly sequence: number
  readonly run: () => void
}

const isBefore = (left: Event, right: Event): boolean =>
  left.atMillis < right.atMillis || (left.atMillis === right.atMillis && left.sequence < right.sequence)

class Loop {
  nowMillis = 0
  sequence = 0
  readonly events: Array<Event> = []

  schedule(delayMillis: number, run: () => void): void {
    const event = { atMillis: this.nowMillis + delayMillis, sequence: this.sequence++, run }
    const { events } = this
    let index = events.length
    events.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(event, events[parent] as Event)) break
      events[index] = events[parent] as Event
      index = parent
    }
    events[index] = event
  }

  next(): Event {
    const { events } = this
    const top = events[0] as Event
    const last = events.pop() as Event
    const { length } = events
    if (length === 0) return top
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= length) break
      if (child + 1 < length && isBefore(events[child + 1] as Event, events[child] as Event)) child++
      if (!isBefore(events[child] as Event, last)) break
      events[index] = events[child] as Event
      index = child
    }
    events[index] = last
    return top
  }

  run(untilMillis: number): void {
    while (this.events.length > 0) {
      const event = this.next()
      if (event.atMillis > untilMillis) return
      this.nowMillis = event.atMillis
      event.run()
    }
  }
}

interface Message {
  readonly isPing: boolean
  readonly from: number
  readonly nth: number
}

/** Returns how many messages were delivered. */
export const callbackLoop = ({ hosts, seconds, isStorm }: Workload): number => {
  const loop = new Loop()
  const drawLatency = mulberry32(42)
  const drawCut = mulberry32(42)
  const span = latencyMillisMax - latencyMillisMin + 1
  let delivered = 0
  let cut = 0
  const send = (from: number, to: number, message: Message): void => {
    if ((((cut >> from) ^ (cut >> to)) & 1) === 1) return
    loop.schedule(latencyMillisMin + Math.floor(drawLatency() * span), () => deliver(to, message))
  }
  const deliver = (to: number, message: Message): void => {
    delivered++
    if (message.isPing) send(to, message.from, { isPing: false, from: to, nth: message.nth })
  }
  for (let host = 0; host < hosts; host++) {
    let nth = 0
    const beat = (): void => {
      nth++
      loop.schedule(beatMillis, beat)
      for (let other = 0; other < hosts; other++)
        if (other !== host) send(host, other, { isPing: true, from: host, nth })
    }
    loop.schedule(beatMillis, beat)
  }
  if (isStorm) {
    const storm = (): void => {
      cut = nextCut(drawCut, hosts)
      loop.schedule(cutMillis, () => {
        cut = 0
      })
      loop.schedule(cutEveryMillis, storm)
    }
    loop.schedule(cutEveryMillis, storm)
  }
  loop.run(seconds * 1_000)
  return delivered
}
