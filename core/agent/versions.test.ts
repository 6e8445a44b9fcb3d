/** Agents and nodes of which one does not know yet that it can be told how something failed: over sessions, and over HTTP. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Socket from "effect/socket/Socket"
import * as TestClock from "effect/testing/TestClock"
import { Exchange } from "../api/Views.ts"
import { agentExchangeIntervalMillis, redialMillisMax } from "../Limits.ts"
import { Dial } from "../ports/Dial.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { Observation, Provider } from "../ports/Provider.ts"
import { SessionEnd } from "../session/SessionEnd.ts"
import { encode, fromAgent, type NodeFrame } from "../session/SessionFrame.ts"
import { features, type Report } from "./AgentPlan.ts"
import * as AgentPoll from "./AgentPoll.ts"
import * as AgentWork from "./AgentWork.ts"

type Version = "old" | "new"

// As they were before there were causes.
const OldReports = Schema.Array(Schema.Struct({ uid: Schema.String, attempt: Schema.Int, observation: Observation }))
const OldReport = Schema.TaggedStruct("Report", { number: Schema.Int, reports: OldReports })
const OldExchange = Schema.Struct({ incarnation: Schema.Int, reports: OldReports })
const OldWelcome = Schema.TaggedStruct("Welcome", { version: Schema.Literal(1), incarnation: Schema.Int })
const strictly = { onExcessProperty: "error" } as const
const isRead = (schema: Schema.Top, value: unknown) =>
  Schema.decodeUnknownOption(schema as Schema.Codec<unknown>, strictly)(value)._tag === "Some"

const spec = { image: "web:1", size: "small" } as const
const failed = (uid: string) => ({ uid, attempt: 1, observation: "Failed" }) as const
const withCause = (uid: string) => ({ ...failed(uid), cause: `exited with code 1: ${uid}` })

/** A host on which everything fails at once. */
const host = () => {
  const started = new Set<string>()
  return Provider.of({
    start: (uid) => Effect.sync(() => void started.add(uid)),
    stop: (uid) => Effect.sync(() => void started.delete(uid)),
    observe: (uid) => Effect.succeed({ observation: "Failed", cause: `exited with code 1: ${uid}` }),
    list: Effect.sync(() => [...started].toSorted())
  })
}
const around = (client: HttpClient.HttpClient) =>
  Layer.mergeAll(
    Layer.succeed(Provider, host()),
    Layer.succeed(NodeExit, { exit: (reason) => Effect.die(new Error(reason)) }),
    Layer.succeed(HttpClient.HttpClient, client)
  )
/** In steps, so that all who wait have their turns in between. */
const pass = (millis: number) =>
  Effect.repeat(TestClock.adjust(agentExchangeIntervalMillis / 10), {
    times: (millis / agentExchangeIntervalMillis) * 10
  })
const nobody = HttpClient.make(() => Effect.die(new Error("asks over the session")))

/** A placement, as it is after what was told of it. */
const placed = (uid: string, told: ReadonlyArray<Report>) => ({
  uid,
  attempt: 1,
  spec,
  wanted: "run" as const,
  observed: told.findLast((each) => each.uid === uid)?.observation ?? null
})

describe("an agent in a session", () => {
  it.effect("tells how something failed to a node that takes it, and to an older one that it failed", () =>
    Effect.gen(function* () {
      const told: Array<Report> = []
      const refused: Array<string> = []
      const over = yield* Deferred.make<never, Socket.SocketError>()
      /** The older one has an instance of its own to run. */
      const socketOf = Effect.fnUntraced(function* (version: Version) {
        const messages = yield* Queue.unbounded<string>()
        const say = (frame: NodeFrame) => Queue.offer(messages, encode(frame))
        const next = Effect.map(Queue.take(messages), (message) => [message])
        return {
          reader: Effect.succeed({ pull: version === "new" ? Effect.raceFirst(next, Deferred.await(over)) : next }),
          writer: Effect.succeed({
            write: (text: string) =>
              Effect.suspend((): Effect.Effect<unknown> => {
                const frame = fromAgent(text)
                if (frame instanceof SessionEnd) return Effect.sync(() => refused.push(text))
                if (frame._tag === "Hello")
                  return say({
                    _tag: "Welcome",
                    version: 1,
                    incarnation: 1,
                    ...(version === "new" ? { features } : {})
                  })
                if (frame._tag === "Beat") return Effect.void
                if (version === "old" && !isRead(OldReport, JSON.parse(text))) refused.push(text)
                told.push(...frame.reports)
                const placements = [placed(version === "new" ? "a" : "b", told)]
                return say({ _tag: "Work", report: frame.number, placements })
              })
          })
        } as unknown as Socket.Socket
      })
      const dial = Layer.succeed(Dial, { dial: (url) => socketOf(url.includes("new") ? "new" : "old") })
      const agent = AgentWork.run({ id: "a1", addresses: ["http://new:1", "http://old:1"] })
      yield* Effect.forkScoped(Effect.provide(agent, Layer.merge(around(nobody), dial)))
      yield* pass(3 * agentExchangeIntervalMillis)
      assert.deepStrictEqual(told, [withCause("a")])
      yield* Deferred.fail(
        over,
        new Socket.SocketError({ reason: new Socket.SocketReadError({ cause: new Error("the node stops") }) })
      )
      yield* pass(redialMillisMax + 3 * agentExchangeIntervalMillis)
      assert.deepStrictEqual([told, refused], [[withCause("a"), failed("b")], []])
    }).pipe(Effect.scoped)
  )
})

describe("an agent that polls", () => {
  it.effect("tells again and without the cause what an older node behind the same address has refused", () =>
    Effect.gen(function* () {
      const answers: ReadonlyArray<Version> = ["new", "new", "old", "old", "new"]
      const taken: Array<Report> = []
      let exchanges = 0
      let refused = 0
      const balanced = HttpClient.make((request) => {
        const answer = (status: number, body: object) =>
          Effect.succeed(
            HttpClientResponse.fromWeb(
              request,
              new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } })
            )
          )
        const said = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : "{}"
        if (request.url.endsWith("/registrations")) return answer(200, { incarnation: 1, features })
        const version = answers[Math.min(exchanges++, answers.length - 1)]!
        const exchange = JSON.parse(said) as typeof Exchange.Type
        if (!isRead(version === "old" ? OldExchange : Exchange, exchange)) {
          refused++
          const problem = { type: "urn:stormglass:problem:bad-request", status: 400, title: "", detail: "" }
          return answer(400, { _tag: "BadRequest", ...problem, title: "The request is not what is taken here" })
        }
        taken.push(...exchange.reports)
        const placements = exchanges === 1 ? [placed("a", taken)] : [placed("a", taken), placed("b", taken)]
        return answer(200, { placements, ...(version === "new" ? { features } : {}) })
      })
      const agent = AgentPoll.run({ id: "a1", addresses: ["http://balanced:1"] })
      yield* Effect.forkScoped(Effect.provide(agent, around(balanced)))
      yield* pass(8 * agentExchangeIntervalMillis)
      assert.deepStrictEqual([taken, refused], [[withCause("a"), failed("b")], 1])
    }).pipe(Effect.scoped)
  )
})

describe("a node", () => {
  it("takes the reports of an agent that tells no causes, and is understood by it", () => {
    const report = JSON.stringify({ _tag: "Report", number: 1, reports: [failed("a")] })
    assert.deepStrictEqual(fromAgent(report), JSON.parse(report))
    assert.isTrue(isRead(Exchange, { incarnation: 1, reports: [failed("a")] }))
    const welcome = JSON.parse(encode({ _tag: "Welcome", version: 1, incarnation: 7, features })) as unknown
    assert.deepStrictEqual(Schema.decodeUnknownSync(OldWelcome)(welcome), {
      _tag: "Welcome",
      version: 1,
      incarnation: 7
    })
  })

  it("ends the session of who tells a cause that is no line, or too long a one", () => {
    for (const cause of ["", "a\nb", "\u001b[31m", "x".repeat(201), String.fromCharCode(0xd83d)]) {
      const frame = { _tag: "Report", number: 1, reports: [{ ...failed("a"), cause }] }
      assert.instanceOf(fromAgent(JSON.stringify(frame)), SessionEnd, JSON.stringify(cause))
    }
  })
})
