/**
 * The mesh as Effect's own TestClock runs it: one fiber for each message that is on its way, a queue for each host, one large
 * adjustment. What users have without a simulator; no links, no nodes, no digest.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import {
  beatMillis,
  latencyMillisMax,
  latencyMillisMin,
  type Message,
  mulberry32,
  type Workload
} from "../../../sim/bench/Workload.ts"

/** Returns how many messages were delivered. Without the storm: it would be a network of its own. */
export const testClockMesh = ({ hosts, seconds }: Workload): Promise<number> =>
  Effect.gen(function* () {
    let delivered = 0
    const draw = mulberry32(42)
    const span = latencyMillisMax - latencyMillisMin + 1
    const inboxes = yield* Effect.forEach(Array.from({ length: hosts }), () => Queue.unbounded<Message>())
    const send = (to: number, message: Message) =>
      Effect.sleep(latencyMillisMin + Math.floor(draw() * span)).pipe(
        Effect.andThen(Effect.suspend(() => Queue.offer(inboxes[to] as Queue.Queue<Message>, message))),
        Effect.forkChild({ startImmediately: true })
      )
    for (let host = 0; host < hosts; host++) {
      yield* Effect.forkChild(
        Effect.gen(function* () {
          for (let nth = 1; ; nth++) {
            yield* Effect.sleep(beatMillis)
            for (let other = 0; other < hosts; other++)
              if (other !== host) yield* send(other, { kind: "ping", from: host, nth })
          }
        })
      )
      yield* Effect.forkChild(
        Effect.gen(function* () {
          for (;;) {
            const message = yield* Queue.take(inboxes[host] as Queue.Queue<Message>)
            delivered++
            if (message.kind === "ping") yield* send(message.from, { kind: "pong", from: host, nth: message.nth })
          }
        })
      )
    }
    yield* TestClock.adjust(`${seconds} seconds`)
    return delivered
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()), Effect.runPromise)
