/** An agent in its session, on a host that tells when something has changed. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type * as Socket from "effect/socket/Socket"
import * as TestClock from "effect/testing/TestClock"
import { Dial } from "../ports/Dial.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { type Observation, Provider } from "../ports/Provider.ts"
import { type AgentFrame, encode, type NodeFrame } from "../session/SessionFrame.ts"
import { agentExchangeIntervalMillis } from "../Limits.ts"
import * as AgentWork from "./AgentWork.ts"

describe("an agent whose host tells of changes", () => {
  it.effect("reports that a process has lived for long enough, or has ended, at once and not at its next look", () =>
    Effect.gen(function* () {
      const here = new Map<string, Observation>()
      const changed = yield* Latch.make()
      const reported: Array<Observation | undefined> = []
      const messages = yield* Queue.unbounded<string>()
      const answer = (frame: NodeFrame) => Queue.offer(messages, encode(frame))
      const spec = { image: "web:1", size: "small" } as const
      let observed: Observation | null = null
      const write = (text: unknown): Effect.Effect<unknown> => {
        const frame = JSON.parse(text as string) as AgentFrame
        if (frame._tag === "Hello") return answer({ _tag: "Welcome", version: 1, incarnation: 1 })
        if (frame._tag === "Beat") return Effect.void
        for (const { observation } of frame.reports) reported.push((observed = observation))
        const placements = [{ uid: "a", attempt: 1, spec, wanted: "run", observed }] as const
        return answer({ _tag: "Work", report: frame.number, placements })
      }
      const socket = {
        reader: Effect.succeed({ pull: Effect.map(Queue.take(messages), (message) => [message]) }),
        writer: Effect.succeed({ write })
      } as unknown as Socket.Socket
      const host = Provider.of({
        start: (uid) => Effect.sync(() => void here.set(uid, "Starting")),
        stop: () => Effect.void,
        observe: (uid) => Effect.sync(() => ({ observation: here.get(uid) ?? "Absent" })),
        list: Effect.sync(() => [...here.keys()]),
        changed: Effect.andThen(changed.await, changed.close)
      })
      const services = Layer.mergeAll(
        Layer.succeed(Dial, { dial: () => Effect.succeed(socket) }),
        Layer.succeed(Provider, host),
        Layer.succeed(NodeExit, { exit: (reason) => Effect.die(new Error(reason)) }),
        Layer.succeed(
          HttpClient.HttpClient,
          HttpClient.make(() => Effect.die(new Error("asks over the session")))
        )
      )
      const agent = yield* Effect.forkChild(
        Effect.provide(AgentWork.run({ id: "a1", addresses: ["http://n1:1"] }), services)
      )
      for (let step = 0; step < 10; step++) yield* TestClock.adjust(agentExchangeIntervalMillis / 20)
      assert.deepStrictEqual(reported, ["Starting"])

      // Turns of the fibers, and no time.
      const nothingPasses = Effect.repeat(Effect.yieldNow, { times: 50 })
      here.set("a", "Running")
      yield* nothingPasses
      assert.deepStrictEqual(reported, ["Starting"], "nobody has told")
      yield* changed.open
      yield* nothingPasses
      assert.deepStrictEqual(reported, ["Starting", "Running"])
      here.set("a", "Failed")
      yield* changed.open
      yield* nothingPasses
      assert.deepStrictEqual(reported, ["Starting", "Running", "Failed"])
      yield* Fiber.interrupt(agent)
    })
  )
})
