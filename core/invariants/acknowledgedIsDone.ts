/**
 * I4, the other way round: what an answer says was done is done in the commit that records the answer. `idempotency-once` finds an
 * effect without a record; this finds a record without its effect.
 *
 * A fleet is answered under its lock, so that its row is exactly as the answer says. An instance that was found by name is answered
 * as it was at some moment of the request, so that its end may have been asked for since the claim, and not before.
 */
import type { Envelope } from "../facts/Envelope.ts"
import { type Agent, agents } from "../heartbeat/Heartbeat.ts"
import { type Fleet, fleets } from "../fleet/Fleet.ts"
import { type ApiKey, apiKeys } from "../identity/ApiKey.ts"
import { type IdempotencyKey, idempotencyKeys } from "../idempotency/IdempotencyKey.ts"
import { type Instance, instances } from "../instance/Instance.ts"
import { type Quota, quotas } from "../quota/Quota.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowChanges } from "./rowChanges.ts"

interface KnownInstance {
  readonly row: Instance
  /** The id of the fact that asked for its end. */
  readonly askedBy: number | undefined
}

interface State {
  readonly agents: Map<string, Agent>
  readonly keys: Map<string, ApiKey>
  readonly fleets: Map<string, Fleet>
  readonly quotas: Map<string, Quota>
  /** With those that are gone, which may still be told of by an answer that was under way. */
  readonly instances: Map<string, KnownInstance>
  readonly gone: Array<string>
  /** By scope and key: the id of the fact that claimed it. */
  readonly claims: Map<string, number>
}

/** So many instances that are gone are remembered; more than requests can be under way. */
const goneMax = 1_000

export const acknowledgedIsDone: Invariant<State> = {
  name: "acknowledged-is-done",
  states: "What an answer says was done is done in the commit that records the answer (I4).",
  initial: () => ({
    agents: new Map(),
    quotas: new Map(),
    keys: new Map(),
    fleets: new Map(),
    instances: new Map(),
    gone: [],
    claims: new Map()
  }),
  step: (state, envelope) => {
    if (envelope.fact._tag !== "Committed") return state
    fold(state, envelope)
    for (const { key, before, after } of rowChanges(envelope, idempotencyKeys)) {
      if (after?.state === "executing") state.claims.set(key, envelope.id)
      else {
        const claimedBy = state.claims.get(key) ?? envelope.id
        state.claims.delete(key)
        if (after === null || before?.state === "finished") continue
        const problem = judge(state, after, claimedBy)
        if (problem === undefined) continue
        return new Violation(`idempotency key ${key}: ${problem}`, { status: after.status, body: after.body })
      }
    }
    return state
  }
}

function fold(state: State, envelope: Envelope): void {
  for (const { key, after } of rowChanges(envelope, fleets)) {
    if (after === null) state.fleets.delete(key)
    else state.fleets.set(key, after)
  }
  for (const { key, after } of rowChanges(envelope, quotas)) if (after !== null) state.quotas.set(key, after)
  for (const { key, after } of rowChanges(envelope, agents)) {
    if (after !== null) state.agents.set(key, after)
  }
  for (const { key, after } of rowChanges(envelope, apiKeys)) {
    if (after !== null) state.keys.set(key, after)
  }
  for (const { key, after } of rowChanges(envelope, instances)) {
    if (after === null) {
      state.gone.push(key)
      if (state.gone.length > goneMax) state.instances.delete(state.gone.shift()!)
      continue
    }
    const asked = after.deletionRequestedAt === null ? undefined : envelope.id
    state.instances.set(key, { row: after, askedBy: state.instances.get(key)?.askedBy ?? asked })
  }
}

function judge(state: State, recorded: IdempotencyKey, claimedBy: number): string | undefined {
  if (![200, 201, 202].includes(recorded.status!)) return undefined
  const answer = JSON.parse(recorded.body!) as Partial<Fleet & Instance & Agent & ApiKey & Quota>
  if (answer.generation !== undefined) return judgeFleet(state.fleets.get(answer.id!), answer)
  if (answer.incarnation !== undefined) return judgeAgent(state.agents.get(answer.id!), answer)
  if (answer.principal !== undefined) return judgeKey(state.keys.get(answer.id!), answer)
  if (answer.instancesMax !== undefined) return judgeQuota(state.quotas.get(answer.project!), answer)
  if (answer.uid === undefined) return "an answer that tells of nothing"
  return judgeInstance(state.instances.get(answer.uid), answer, {
    claimedBy,
    isDeletion: recorded.scope.endsWith("/instances/delete")
  })
}

function judgeFleet(row: Fleet | undefined, answer: Partial<Fleet>): string | undefined {
  if (row === undefined) return `fleet ${answer.id} is acknowledged and not there`
  if (row.generation === answer.generation && row.desired === answer.desired) return undefined
  const told = `generation ${answer.generation} with ${answer.desired}`
  return `fleet ${answer.id} is acknowledged as ${told}, and its row is generation ${row.generation} with ${row.desired}`
}

/** It may have ended since it was found; what was ended stays so. */
function judgeKey(row: ApiKey | undefined, answer: Partial<ApiKey>): string | undefined {
  if (row === undefined) return `key ${answer.id} is acknowledged and not there`
  if (answer.revokedAt === null || row.revokedAt === answer.revokedAt) return undefined
  return `key ${answer.id} is acknowledged as revoked, and its row says otherwise`
}

function judgeQuota(row: Quota | undefined, answer: Partial<Quota>): string | undefined {
  if (row?.fleetsMax === answer.fleetsMax && row?.instancesMax === answer.instancesMax) return undefined
  return `the quota of ${answer.project} is acknowledged as another than its row`
}

/** Its row was locked until the answer was recorded. */
function judgeAgent(row: Agent | undefined, answer: Partial<Agent>): string | undefined {
  if (row === undefined) return `agent ${answer.id} is acknowledged and not there`
  if (row.incarnation === answer.incarnation && row.host === answer.host) return undefined
  return `agent ${answer.id} is acknowledged as let go at incarnation ${answer.incarnation}, and its row is at ${row.incarnation}`
}

function judgeInstance(
  known: KnownInstance | undefined,
  answer: Partial<Instance>,
  request: { readonly claimedBy: number; readonly isDeletion: boolean }
): string | undefined {
  if (known === undefined) return `instance ${answer.uid} is acknowledged and not there`
  const { row, askedBy } = known
  if (answer.deletionRequestedAt !== null) {
    if (row.deletionRequestedAt === answer.deletionRequestedAt) return undefined
    return `the end of instance ${answer.uid} is acknowledged, and its row was asked at another time or never`
  }
  if (request.isDeletion) return `the answer to a deletion shows instance ${answer.uid} as wanted`
  if (askedBy === undefined || askedBy > request.claimedBy) return undefined
  return `instance ${answer.uid} is acknowledged as wanted, and its end was asked for before the request`
}
