/**
 * An agent without sessions: asks the control plane again and again what is to run here, and tells what it sees. For networks and nodes
 * that do not upgrade; each round starts from what is here and from what is wanted.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Schedule from "effect/Schedule"
import { labelled } from "../facts/Label.ts"
import { agentExchangeIntervalMillis } from "../Limits.ts"
import { NodeExit } from "../ports/NodeExit.ts"
import { Provider } from "../ports/Provider.ts"
import * as Agent from "./Agent.ts"
import { type Assigned, reports, steps } from "./AgentPlan.ts"
import { carryOut, look, running } from "./Host.ts"

export interface AgentPollOptions {
  readonly id: string
  /** See `Agent.ts`. */
  readonly host?: string
  /** "http://n1:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
}

/** Runs for ever; ends its process when another has registered as the same agent. */
export const run = (
  options: AgentPollOptions
): Effect.Effect<never, never, HttpClient.HttpClient | Provider | NodeExit> =>
  Effect.gen(function* () {
    const node = yield* NodeExit
    const provider = yield* Provider
    const failover = yield* Agent.connect(options.addresses)
    const params = { agent: options.id }
    const registered = yield* Agent.register(failover, options)
    const { incarnation } = registered

    let assigned: ReadonlyArray<Assigned> = []
    /** What the node takes that answered last. */
    let { features } = registered
    const exchange = Effect.gen(function* () {
      const seen = yield* look(provider)
      if (seen === undefined) return
      const payload = { incarnation, reports: reports(assigned, seen, features) }
      const answer = yield* Effect.tapErrorTag(
        failover.ask((client) => client.agents.exchange({ params, payload })),
        "BadRequest",
        // Another node has answered, an older one: it is told again, and no more than each takes.
        () => Effect.sync(() => void (features = []))
      )
      assigned = answer.placements
      features = answer.features ?? []
      yield* carryOut(provider, steps(assigned, seen))
    }).pipe(
      Effect.catch((error) =>
        error._tag === "Conflict" ? node.exit(error.message) : Effect.logDebug(`no exchange: ${error._tag}`)
      )
    )

    const work = Effect.repeat(exchange, Schedule.spaced(`${agentExchangeIntervalMillis} millis`))
    // What nobody wants any more, the next exchange ends.
    const beats = Agent.beats(failover, {
      ...options,
      incarnation,
      running: running(provider),
      onUnknown: () => Effect.void
    })
    return yield* Effect.raceFirst(labelled("agent/exchange", Effect.andThen(work, Effect.never)), beats)
  })
