/**
 * The agent that runs instances: makes what the control plane wants of it so with the provider of its host, and tells what it sees.
 * Level-triggered: it starts from what is here and from all that is wanted, so that whatever was lost is made up for by the next look.
 *
 * It dials a session to one of the addresses, and another one when that ends or does not answer. Where nobody upgrades, it polls
 * (`AgentPoll.ts`).
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Latch from "effect/Latch"
import * as Random from "effect/Random"
import * as Socket from "effect/socket/Socket"
import { monotonicMicros } from "../clock/monotonicMicros.ts"
import { cannotUpgrade, closeCodeOf, pauseMillis, retryAfterSecondsOf } from "../client/redial.ts"
import * as Facts from "../facts/Facts.ts"
import { labelled } from "../facts/Label.ts"
import * as Mark from "../facts/Mark.ts"
import { makeUid } from "../instance/makeUid.ts"
import {
  agentExchangeIntervalMillis,
  heartbeatIntervalMillis,
  heartbeatTimeoutMillis,
  heartbeatUidsMax,
  sessionResyncMillis
} from "../Limits.ts"
import * as Dial from "../ports/Dial.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { Provider } from "../ports/Provider.ts"
import { closeCodes, reasonOf, SessionEnd } from "../session/SessionEnd.ts"
import type { SessionOpened } from "../session/SessionFacts.ts"
import { encode, fromNode, type Work, version } from "../session/SessionFrame.ts"
import * as AgentPoll from "./AgentPoll.ts"
import { type Assigned, lookMillis, reports, steps } from "./AgentPlan.ts"
import { carryOut, look, running } from "./Host.ts"

export interface AgentWorkOptions {
  readonly id: string
  /** See `Agent.ts`. */
  readonly host?: string
  /** "http://n1:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
}

type Services = Dial.Dial | HttpClient.HttpClient | Provider | NodeExit

const polls = Mark.sometimes("agent polls, as nobody upgrades")

/** Runs for ever; ends its process when another has registered as the same agent. */
export const run = (options: AgentWorkOptions): Effect.Effect<never, never, Services> =>
  Effect.gen(function* () {
    const node = yield* NodeExit
    const { addresses, id } = options
    const process = yield* makeUid(id)
    const self: Self = { ...options, process, isKnown: false, beatAtMicros: yield* firstBeatMicros }
    let failures = 0
    let refusals = 0
    for (let nth = 0; ; nth++) {
      const address = addresses[nth % addresses.length]!
      const opened = { isOpened: false }
      const error = yield* Effect.flip(Effect.scoped(session(self, address, opened)))
      failures = opened.isOpened ? 1 : failures + 1
      yield* Effect.logDebug(`session with ${address}: ${error.message}`)
      if (isSuperseded(error) && !opened.isOpened) {
        if (self.isKnown) return yield* Effect.andThen(node.exit(error.message), Effect.never)
        yield* Effect.logWarning(error.message)
      }
      refusals = cannotUpgrade(error) && !self.isKnown ? refusals + 1 : 0
      if (refusals === addresses.length) {
        yield* Mark.hit(polls)
        yield* Effect.logWarning("nobody opens a session: polls instead")
        return yield* AgentPoll.run(options)
      }
      const retryAfterSeconds = retryAfterSecondsOf(error)
      yield* labelled(
        "agent/redial",
        Effect.sleep(pauseMillis({ failures, retryAfterSeconds, fraction: yield* Random.next }))
      )
    }
  })

/** The agent, across its sessions. */
interface Self extends AgentWorkOptions {
  readonly process: string
  isKnown: boolean
  /** When the next heartbeat is due. */
  beatAtMicros: number
}

/** The first beat at a random phase, so that a restart of all agents is not a herd. */
const firstBeatMicros = Effect.gen(function* () {
  return (yield* monotonicMicros) + (yield* Random.next) * heartbeatIntervalMillis * 1_000
})

const isSuperseded = (error: Socket.SocketError): boolean => closeCodeOf(error) === closeCodes.superseded

/** Until it ends, as it always does. */
const session = (self: Self, address: string, opened: { isOpened: boolean }) =>
  Effect.gen(function* () {
    const provider = yield* Provider
    const { host, id, process } = self
    const socket = yield* Dial.dial(`${address.replace(/^http/, "ws")}/v1/agents/${id}/session`, { headers: {} })
    const { pull } = yield* socket.reader
    const { write } = yield* socket.writer
    const answered = <A>(awaited: Effect.Effect<A, Socket.SocketError>) =>
      Effect.timeoutOrElse(awaited, { duration: heartbeatTimeoutMillis, orElse: () => Effect.fail(silent(address)) })

    yield* write(encode({ _tag: "Hello", version, host: host ?? id, process, isKnown: self.isKnown }))
    /** What the node said last, and has not been looked at. */
    let news: Work | undefined
    let incarnation = 0
    let features: ReadonlyArray<string> = []
    const told = yield* Latch.make()
    const listening = Effect.gen(function* () {
      for (;;) {
        for (const message of yield* pull) {
          const frame = fromNode(message)
          if (frame instanceof SessionEnd) {
            yield* write(new Socket.CloseEvent(frame.code, reasonOf(frame)))
            return yield* Effect.forever(pull)
          }
          if (frame._tag === "Welcome") {
            incarnation = frame.incarnation
            features = frame.features ?? []
          } else news = frame
          yield* told.open
        }
      }
    })
    const takesNews = Effect.andThen(told.await, told.close)
    const takesNewsOrSees = provider.changed === undefined ? takesNews : Effect.raceFirst(takesNews, provider.changed)

    const working = Effect.gen(function* () {
      yield* answered(
        Effect.andThen(
          takesNews,
          Effect.suspend(() => (incarnation === 0 ? Effect.fail(silent(address)) : Effect.void))
        )
      )
      opened.isOpened = true
      self.isKnown = true
      yield* Facts.emit<SessionOpened>({ _tag: "SessionOpened", agent: id, address, incarnation })
      let assigned: ReadonlyArray<Assigned> = []
      let asked = 0
      let resyncAtMicros = 0
      let acts = 0
      for (;;) {
        const seen = yield* look(provider)
        const nowMicros = yield* monotonicMicros
        const due = seen === undefined ? [] : reports(assigned, seen, features)
        if (due.length > 0 || nowMicros >= resyncAtMicros) {
          asked++
          yield* write(encode({ _tag: "Report", number: asked, reports: due }))
          // V3: what is older than this report is passed over.
          yield* answered(Effect.repeat(takesNews, { until: () => news?.report === asked }))
          resyncAtMicros = nowMicros + sessionResyncMillis * 1_000
        }
        if (news !== undefined) assigned = news.placements
        news = undefined
        const hasActed = seen !== undefined && (yield* carryOut(provider, steps(assigned, seen)))
        acts = hasActed ? acts + 1 : 0
        yield* Effect.timeoutOption(takesNewsOrSees, lookMillis(acts))
      }
    })

    const beating = Effect.gen(function* () {
      while (!opened.isOpened) yield* Effect.sleep(agentExchangeIntervalMillis)
      for (;;) {
        const waitMicros = self.beatAtMicros - (yield* monotonicMicros)
        if (waitMicros > 0) yield* Effect.sleep(waitMicros / 1_000)
        const uids = yield* running(provider)
        for (let from = 0; from < uids.length; from += heartbeatUidsMax) {
          yield* write(encode({ _tag: "Beat", uids: uids.slice(from, from + heartbeatUidsMax) }))
        }
        self.beatAtMicros = (yield* monotonicMicros) + heartbeatIntervalMillis * 1_000
      }
    })
    return yield* Effect.raceAllFirst([
      labelled("agent/listen", listening),
      labelled("agent/work", working),
      labelled("agent/beat", beating)
    ])
  })

/** What an end that does not answer looks like. */
const silent = (address: string) =>
  new Socket.SocketError({
    reason: new Socket.SocketReadError({
      cause: new Error(`${address} has not answered within ${heartbeatTimeoutMillis} ms`)
    })
  })
