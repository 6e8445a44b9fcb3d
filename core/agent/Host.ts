/** What an agent sees and does on its host. */
import * as Effect from "effect/Effect"
import type { Observed, Provider, ProviderError } from "../ports/Provider.ts"
import type { Steps } from "./AgentPlan.ts"

type Host = Provider["Service"]
type Seen = ReadonlyMap<string, Observed>

/** Undefined when the host does not say. */
export const look = (host: Host): Effect.Effect<Seen | undefined> =>
  Effect.gen(function* () {
    const uids = yield* host.list
    const seen = yield* Effect.forEach(uids, (uid) => Effect.map(host.observe(uid), (seen) => [uid, seen] as const))
    return new Map<string, Observed>(seen)
  }).pipe(Effect.catch((error) => Effect.as(Effect.logWarning(error.message), undefined)))

/** False when there was nothing to do. */
export const carryOut = (host: Host, { start, stop }: Steps): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    for (const uid of stop) yield* tried(host.stop(uid))
    for (const { spec, uid } of start) yield* tried(host.start(uid, spec))
    return stop.length + start.length > 0
  })

const tried = (call: Effect.Effect<void, ProviderError>) =>
  call.pipe(Effect.catchTag("ProviderError", (error) => Effect.logWarning(error.message)))

/** The uids that run here now. */
export const running = (host: Host): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(look(host), (seen) =>
    [...(seen ?? [])].flatMap(([uid, { observation }]) => (observation === "Running" ? [uid] : []))
  )
