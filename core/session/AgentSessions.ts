/**
 * The sessions of agents on one node: what comes is taken one after the other, and what changes in the placements of an agent, by the change
 * feed, is told at once. Level-triggered: what is told is read from the store each time, and a change that was not told of costs the agent
 * until its next report.
 *
 * A session ends with a close code that says why (`SessionEnd.ts`), and nothing of it is left: the agent begins anew, here or elsewhere.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Socket from "effect/socket/Socket"
import * as AgentCalls from "../agent/AgentCalls.ts"
import { type Assigned, features } from "../agent/AgentPlan.ts"
import * as Mark from "../facts/Mark.ts"
import { Gate } from "../identity/Gate.ts"
import { sessionHelloTimeoutMillis, sessionWriteTimeoutMillis } from "../Limits.ts"
import { placements } from "../placement/Placement.ts"
import type { Change } from "../ports/Feed.ts"
import { Storage, type StorageError } from "../ports/Storage.ts"
import { Watch } from "../watch/Watch.ts"
import * as KeyHeld from "./KeyHeld.ts"
import { reasonOf, SessionEnd } from "./SessionEnd.ts"
import { type AgentFrame, encode, fromAgent, type NodeFrame, version } from "./SessionFrame.ts"

const pushed = Mark.sometimes("agent told over its session of a change of its placements")
const superseded = Mark.sometimes("session ended because its agent has another")

export class AgentSessions extends Context.Service<
  AgentSessions,
  {
    /** Talks until the session is over. `socket` is not opened yet. */
    readonly serve: (
      agent: string,
      socket: Socket.Socket,
      held: KeyHeld.Held
    ) => Effect.Effect<void, Socket.SocketError, Scope.Scope>
  }
>()("stormglass/core/session/AgentSessions") {}

/** Whether what the agent was told last is not what the change says; pure. */
export const isNews = (
  agent: string,
  told: ReadonlyArray<Assigned>,
  { after, before }: Pick<Change, "after" | "before">
): boolean => {
  const known = told.find(({ uid }) => uid === (after ?? before)?.["uid"])
  if (after === null || after["agent"] !== agent) return known !== undefined
  return (
    known === undefined ||
    known.attempt !== after["attempt"] ||
    known.wanted !== after["wanted"] ||
    known.observed !== after["observed"]
  )
}

/** What a session has been told, and how to have it look again. */
interface Listening {
  told: ReadonlyArray<Assigned>
  readonly nudges: Queue.Queue<void>
}

export const layer: Layer.Layer<AgentSessions, never, Storage | Watch | Gate> = Layer.effect(
  AgentSessions,
  Effect.gen(function* () {
    const storage = yield* Storage
    const watch = yield* Watch
    const gate = yield* Gate
    /** By agent; there may be a second one for a moment. */
    const listening = new Map<string, Set<Listening>>()
    const nudge = (agent: string, change: Change): void => {
      for (const each of listening.get(agent) ?? []) {
        if (isNews(agent, each.told, change)) Queue.offerUnsafe(each.nudges, undefined)
      }
    }
    const onChanges = (changes: ReadonlyArray<Change> | undefined): void => {
      if (changes === undefined) {
        for (const all of listening.values()) for (const { nudges } of all) Queue.offerUnsafe(nudges, undefined)
        return
      }
      for (const change of changes) {
        if (change.table !== placements.name) continue
        const agents = new Set([change.before?.["agent"], change.after?.["agent"]])
        for (const agent of agents) if (typeof agent === "string") nudge(agent, change)
      }
    }
    // One listener for all, while there are any.
    const follower = yield* RcRef.make({ acquire: watch.listen(onChanges) })

    const listen = Effect.fnUntraced(function* (agent: string) {
      yield* RcRef.get(follower)
      const own: Listening = { told: [], nudges: yield* Queue.sliding<void>(1) }
      const all = listening.get(agent) ?? new Set()
      listening.set(agent, all.add(own))
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => {
          all.delete(own)
          if (all.size === 0 && listening.get(agent) === all) listening.delete(agent)
        })
      )
      return own
    })

    const serve = Effect.fnUntraced(function* (agent: string, socket: Socket.Socket, held: KeyHeld.Held) {
      const { pull } = yield* socket.reader
      const { write } = yield* socket.writer
      const key = yield* KeyHeld.make(gate, held)
      const say = (frame: NodeFrame) =>
        Effect.timeoutOrElse(write(encode(frame)), {
          duration: sessionWriteTimeoutMillis,
          orElse: () => Effect.fail(new SessionEnd("tooSlow", "what the agent is told is not taken"))
        })
      const frames = yield* Effect.sync(() => framesOf(pull))
      const talk = Effect.gen(function* () {
        const hello = yield* Effect.timeoutOrElse(frames, {
          duration: sessionHelloTimeoutMillis,
          orElse: () => Effect.fail(new SessionEnd("tooSlow", "no hello came in time"))
        })
        if (hello._tag !== "Hello") {
          return yield* Effect.fail(new SessionEnd("outOfProtocol", "an agent says hello first"))
        }
        yield* key.require
        const { host, isKnown, process } = hello
        const welcomed = yield* isKnown
          ? AgentCalls.resume(storage, { id: agent, process })
          : AgentCalls.register(storage, { id: agent, host, process })
        if (welcomed === undefined) {
          const why = isKnown
            ? `another process has registered as agent ${agent}`
            : `agent ${agent} is on another host than ${host}`
          return yield* Effect.fail(new SessionEnd("superseded", why))
        }
        const { incarnation } = welcomed
        const own = yield* listen(agent)
        yield* say({ _tag: "Welcome", version, incarnation, features })

        let taken = 0
        const exchange = Effect.fnUntraced(function* (reports: Extract<AgentFrame, { _tag: "Report" }>["reports"]) {
          yield* key.require
          const work = yield* AgentCalls.exchange(storage, { agent, incarnation, reports })
          if (work !== undefined) return work
          yield* Mark.hit(superseded)
          return yield* Effect.fail(new SessionEnd("superseded", `the agent has had another session since`))
        })
        const tell = (work: ReadonlyArray<Assigned>) => {
          own.told = work
          return say({ _tag: "Work", report: taken, placements: work })
        }
        const take = Effect.fnUntraced(function* (frame: AgentFrame) {
          switch (frame._tag) {
            case "Hello":
              return yield* Effect.fail(new SessionEnd("outOfProtocol", "an agent says hello once"))
            case "Beat": {
              yield* key.require
              yield* AgentCalls.beat(storage, { agent, incarnation, uids: frame.uids })
              return
            }
            case "Report": {
              if (frame.number <= taken) {
                return yield* Effect.fail(new SessionEnd("outOfProtocol", "reports are counted upwards"))
              }
              const work = yield* exchange(frame.reports)
              taken = frame.number
              return yield* tell(work)
            }
          }
        })
        // One at a time, so that what is told is told in the order in which it was read.
        const turn = yield* Semaphore.make(1)
        const taking = Effect.forever(Effect.flatMap(frames, (frame) => turn.withPermit(take(frame))))
        const telling = Effect.forever(
          Effect.andThen(
            Queue.take(own.nudges),
            turn.withPermit(
              Effect.gen(function* () {
                const work = yield* exchange([])
                if (JSON.stringify(work) === JSON.stringify(own.told)) return
                yield* Mark.hit(pushed)
                yield* tell(work)
              })
            )
          )
        )
        return yield* Effect.raceFirst(taking, telling)
      })
      yield* Effect.raceFirst(talk, key.watch).pipe(
        Effect.catchTag("StorageError", ({ message }: StorageError) =>
          Effect.fail(new SessionEnd("tryElsewhere", message))
        ),
        Effect.catchTag("SessionEnd", (end) => write(new Socket.CloseEvent(end.code, reasonOf(end))))
      )
    })
    return { serve }
  })
)

/** One frame after the other, as they come. */
function framesOf(pull: Socket.Reader["pull"]): Effect.Effect<AgentFrame, SessionEnd | Socket.SocketError> {
  const waiting: Array<Uint8Array | string> = []
  return Effect.gen(function* () {
    if (waiting.length === 0) waiting.push(...(yield* pull))
    const frame = fromAgent(waiting.shift()!)
    return frame instanceof SessionEnd ? yield* Effect.fail(frame) : frame
  })
}
