/**
 * The agent that runs instances: asks the control plane again and again what is to run here, makes it so with the provider of its
 * host, and tells what it sees. Level-triggered: each round starts from what is here and from what is wanted, so that an answer that was
 * lost costs one round.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Schedule from "effect/Schedule"
import { labelled } from "../facts/Label.ts"
import { agentExchangeIntervalMillis } from "../Limits.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { type Observation, Provider, type ProviderError } from "../ports/Provider.ts"
import * as Agent from "./Agent.ts"
import { type Assigned, reports, steps } from "./AgentPlan.ts"

export interface AgentWorkOptions {
  readonly id: string
  /** See `Agent.ts`. */
  readonly host?: string
  /** "http://n1:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
}

/** Runs for ever; ends its process when another has registered as the same agent. */
export const run = (
  options: AgentWorkOptions
): Effect.Effect<never, never, HttpClient.HttpClient | Provider | NodeExit> =>
  Effect.gen(function* () {
    const node = yield* NodeExit
    const provider = yield* Provider
    const failover = yield* Agent.connect(options.addresses)
    const params = { agent: options.id }
    const incarnation = yield* Agent.register(failover, options)

    const look = Effect.gen(function* () {
      const uids = yield* provider.list
      const seen = yield* Effect.forEach(uids, (uid) =>
        Effect.map(provider.observe(uid), (seen) => [uid, seen] as const)
      )
      return new Map<string, Observation>(seen)
    })

    let assigned: ReadonlyArray<Assigned> = []
    const exchange = Effect.gen(function* () {
      const seen = yield* look
      const payload = { incarnation, reports: reports(assigned, seen) }
      const answer = yield* failover.ask((client) => client.agents.exchange({ params, payload }))
      assigned = answer.placements
      const { start, stop } = steps(assigned, seen)
      for (const uid of stop) yield* tried(provider.stop(uid))
      for (const { spec, uid } of start) yield* tried(provider.start(uid, spec))
    }).pipe(
      Effect.catch((error) =>
        error._tag === "Conflict" ? node.exit(error.message) : Effect.logDebug(`no exchange: ${error._tag}`)
      )
    )

    const running = look.pipe(
      Effect.map((seen) => [...seen].flatMap(([uid, observation]) => (observation === "Running" ? [uid] : []))),
      Effect.catch((error) => Effect.as(Effect.logWarning(error.message), []))
    )
    const work = Effect.repeat(exchange, Schedule.spaced(`${agentExchangeIntervalMillis} millis`))
    // What nobody wants any more, the next exchange ends.
    const beats = Agent.beats(failover, { ...options, incarnation, running, onUnknown: () => Effect.void })
    return yield* Effect.raceFirst(labelled("agent/exchange", Effect.andThen(work, Effect.never)), beats)
  })

const tried = (call: Effect.Effect<void, ProviderError>) =>
  call.pipe(Effect.catchTag("ProviderError", (error) => Effect.logWarning(error.message)))
