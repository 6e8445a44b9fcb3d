/**
 * I20: whoever comes with an API key may do what the key says and nothing else, and nothing at all some seconds after it has expired or was
 * revoked (10 s).
 */
import * as DatabaseClock from "./DatabaseClock.ts"
import { everyProject } from "../identity/Access.ts"
import { type ApiKey, apiKeys } from "../identity/ApiKey.ts"
import type { Authorized } from "../identity/IdentityFacts.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

const withinMicros = 10_000_000

interface State {
  readonly clock: DatabaseClock.DatabaseClock
  readonly keys: Map<string, ApiKey>
}

export const accessScoped: Invariant<State> = {
  name: "access-scoped",
  states: "A key opens what it says, and nothing ten seconds after its end (I20).",
  initial: () => ({ clock: DatabaseClock.make(), keys: new Map() }),
  step: (state, envelope) => {
    const { clock, keys } = state
    DatabaseClock.follow(clock, envelope)
    for (const { key, after, before } of rowChanges(envelope, apiKeys)) {
      if (after === null) return new Violation(`key ${key} was forgotten`, { before })
      if (before !== null && !isSame(before, after)) {
        return new Violation(`what key ${key} may do was changed`, { before, after })
      }
      keys.set(after.id, after)
    }
    if (envelope.fact._tag !== "Authorized") return state
    const fact = envelope.fact as Authorized
    if (fact.keyId === null) return state
    const problem = problemOf(
      keys.get(fact.keyId),
      fact,
      DatabaseClock.readingsMicros(clock, envelope.atMicros, envelope.atMicros)?.least ?? envelope.atMicros
    )
    return problem === undefined
      ? state
      : new Violation(`${fact.principal} with key ${fact.keyId}: ${problem}`, { ...fact })
  }
}

const isSame = (before: ApiKey, after: ApiKey): boolean =>
  before.principal === after.principal &&
  before.hash === after.hash &&
  before.verbs.join() === after.verbs.join() &&
  before.projects.join() === after.projects.join()

function problemOf(key: ApiKey | undefined, { principal, project, verb }: Authorized, nowMicros: number) {
  if (key === undefined) return "there is no such key"
  if (key.principal !== principal) return `it is ${key.principal}'s`
  if (!key.verbs.includes(verb)) return `it is not for ${verb}`
  if (project !== null && !key.projects.includes(everyProject) && !key.projects.includes(project)) {
    return `it is not for project ${project}`
  }
  const endedAtMicros = Math.min(key.revokedAt ?? Infinity, key.expiresAt ?? Infinity)
  return nowMicros > endedAtMicros + withinMicros ? "it has ended" : undefined
}
