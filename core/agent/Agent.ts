/**
 * The agent: lives where instances run, and says every ten seconds which of them it sees. It knows several addresses of the control
 * plane and tells whichever answers.
 *
 * - A1 Each process of an agent registers before it says anything, and speaks under the incarnation that it was given.
 * - A2 It sends no time: when it was heard is for the control plane to say.
 */
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Random from "effect/Random"
import { type Failover, failover } from "../client/Client.ts"
import { labelled } from "../facts/Label.ts"
import { makeUid } from "../instance/makeUid.ts"
import { heartbeatIntervalMillis, heartbeatTimeoutMillis, heartbeatUidsMax } from "../Limits.ts"

export interface AgentOptions<R> {
  readonly id: string
  /** Names what its instances run on, for as long as they do; no two agents of one name are on different hosts. Default: its own name. */
  readonly host?: string
  /** "http://n1:8081", …; at least one. */
  readonly addresses: ReadonlyArray<string>
  /** The uids that run here now. */
  readonly running: Effect.Effect<ReadonlyArray<string>, never, R>
  /** Those among them that nobody wants any more. */
  readonly onUnknown: (uids: ReadonlyArray<string>) => Effect.Effect<void, never, R>
}

/** Runs for ever. Whatever fails is tried again at the next heartbeat. */
export const run = <R>(options: AgentOptions<R>): Effect.Effect<never, never, HttpClient.HttpClient | R> =>
  Effect.gen(function* () {
    const failover = yield* connect(options.addresses)
    const { incarnation } = yield* register(failover, options)
    return yield* beats(failover, { ...options, incarnation })
  })

/** Asks whichever address answers. */
export const connect = (addresses: ReadonlyArray<string>): Effect.Effect<Failover, never, HttpClient.HttpClient> =>
  failover({ addresses, timeoutMillis: heartbeatTimeoutMillis })

/** The incarnation of this process, and what may be told besides (`features` of `AgentPlan.ts`); tried until it is given. */
export const register = (
  { ask }: Failover,
  { host, id }: { readonly id: string; readonly host?: string }
): Effect.Effect<{ readonly incarnation: number; readonly features: ReadonlyArray<string> }> =>
  Effect.gen(function* () {
    const process = yield* makeUid(id)
    const request = { params: { agent: id }, payload: { host: host ?? id, process } }
    for (;;) {
      const given = yield* ask((client) => client.agents.register(request)).pipe(
        Effect.map(({ features = [], incarnation }) => ({ features, incarnation })),
        Effect.catchTag("Conflict", ({ message }) => Effect.as(Effect.logWarning(message), undefined)),
        Effect.catch((error) => Effect.as(Effect.logDebug(`not registered: ${error._tag}`), undefined))
      )
      if (given !== undefined) return given
      yield* Effect.sleep(`${heartbeatTimeoutMillis} millis`)
    }
  }).pipe((registered) => labelled("agent/register", registered))

/** Under the incarnation that this process was given. */
export const beats = <R>(
  { ask }: Failover,
  options: Pick<AgentOptions<R>, "id" | "running" | "onUnknown"> & { readonly incarnation: number }
): Effect.Effect<never, never, R> =>
  Effect.gen(function* () {
    const { incarnation } = options
    const params = { agent: options.id }
    const beat = Effect.gen(function* () {
      const uids = yield* options.running
      for (let from = 0; from < uids.length; from += heartbeatUidsMax) {
        const payload = { incarnation, uids: uids.slice(from, from + heartbeatUidsMax) }
        const { unknown } = yield* ask((client) => client.agents.beat({ params, payload }))
        if (unknown.length > 0) yield* options.onUnknown(unknown)
      }
    }).pipe(Effect.catch((error) => Effect.logDebug(`not heard: ${error._tag}`)))

    // The first beat at a random phase, so that a restart of all agents is not a herd.
    yield* Effect.sleep((yield* Random.next) * heartbeatIntervalMillis)
    const beats = Effect.forever(Effect.andThen(beat, Effect.sleep(`${heartbeatIntervalMillis} millis`)))
    return yield* labelled("agent/beat", beats)
  })
