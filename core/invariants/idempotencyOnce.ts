/**
 * I3, checkers 5.3: one key, one effect. What a request does is committed with the record of its answer; the record, once
 * finished, never changes before its time; what is acknowledged is what is recorded, every time.
 */
import type { Committed, Envelope } from "../facts/Envelope.ts"
import { fleets } from "../fleet/Fleet.ts"
import { fnv1a32 } from "../hash/fnv1a32.ts"
import type { Acknowledged } from "../idempotency/IdempotencyFacts.ts"
import { type IdempotencyKey, idempotencyKeys } from "../idempotency/IdempotencyKey.ts"
import { instances } from "../instance/Instance.ts"
import { clockDriftRatioMax, idempotencyRetentionMillis } from "../Limits.ts"
import { type Invariant, Violation } from "./Invariant.ts"
import { rowKeyOf } from "../ports/rowKeyOf.ts"
import { commitOf, rowChanges, type TypedChange } from "./rowChanges.ts"

interface Recorded {
  readonly finishedHash: number | undefined
  readonly createdAtMicros: number
}

interface State {
  /** By scope and key. */
  readonly recorded: Map<string, Recorded>
  readonly promisedMicros: number
}

/** A key may be forgotten so much sooner: it is recorded at its commit, but its time began, and ends, before a commit. */
const transactionMicrosMax = 5_000_000

/** `retentionMillis`: for how long the deployment promises to remember a key. */
// covers A2, A3, A5
export const idempotencyOnce = (retentionMillis = idempotencyRetentionMillis): Invariant<State> => ({
  name: "idempotency-once",
  states: "One idempotency key, one effect, one answer; effect and answer are one transaction (I3, 5.3).",
  initial: () => ({
    recorded: new Map(),
    promisedMicros: retentionMillis * 1_000 * (1 - clockDriftRatioMax) - transactionMicrosMax
  }),
  step: (state, envelope) => {
    if (envelope.fact._tag === "Acknowledged") return judgeAnswer(state, envelope.fact as Acknowledged)
    const commit = commitOf(envelope)
    if (commit === undefined) return state
    const changes = rowChanges(envelope, idempotencyKeys)
    const finished = changes.filter(({ before, after }) => after?.state === "finished" && before?.state !== "finished")
    const effect = effectOf(envelope)
    if (effect !== undefined && finished.length !== 1) {
      return new Violation(`${commit.label} ${effect} without the record of its answer`, evidence(commit))
    }
    for (const change of changes) {
      const problem = judge(state, change, envelope.atMicros)
      if (problem !== undefined) return new Violation(`idempotency key ${change.key}: ${problem}`, { ...change })
      note(state, change, envelope.atMicros)
    }
    return state
  }
})

/** What only a client's request does: nobody holds a fence for it. */
function effectOf(envelope: Envelope): string | undefined {
  const commit = commitOf(envelope)!
  for (const { before, after, key } of rowChanges(envelope, fleets)) {
    if (after !== null && (before === null || before.generation !== after.generation)) return `changed fleet ${key}`
  }
  if (commit.fences.length > 0) return undefined
  for (const { before, after, key } of rowChanges(envelope, instances)) {
    if (before === null) return `created instance ${key}`
    if (after !== null && before.deletionRequestedAt === null && after.deletionRequestedAt !== null) {
      return `asked for the end of instance ${key}`
    }
  }
  return undefined
}

function judge(state: State, change: TypedChange<IdempotencyKey>, atMicros: number): string | undefined {
  const { key, before, after } = change
  if (before === null) return undefined
  const createdAtMicros = state.recorded.get(key)?.createdAtMicros ?? -Infinity
  const isDue = atMicros - createdAtMicros >= state.promisedMicros
  if (after === null) return isDue ? undefined : "it was forgotten before its time"
  if (before.state === "finished" && !isDue) return "it was finished and then changed"
  if (after.epoch < before.epoch) return `its epoch went from ${before.epoch} to ${after.epoch}`
  if (after.fingerprint !== before.fingerprint && !isDue) return "it was taken by another request"
  if (after.state === "finished" && after.epoch !== before.epoch) return "it was finished by another claim than took it"
  return undefined
}

function note(state: State, { key, before, after }: TypedChange<IdempotencyKey>, atMicros: number): void {
  if (after === null) {
    state.recorded.delete(key)
    return
  }
  const isNew = before === null || before.createdAt !== after.createdAt
  state.recorded.set(key, {
    finishedHash: after.state === "finished" ? fnv1a32(`${after.status}\n${after.body}`) : undefined,
    createdAtMicros: isNew ? atMicros : (state.recorded.get(key)?.createdAtMicros ?? atMicros)
  })
}

function judgeAnswer(state: State, answer: Acknowledged): State | Violation {
  const key = rowKeyOf(idempotencyKeys.primaryKey, { scope: answer.scope, key: answer.key })
  const recorded = state.recorded.get(key)
  if (recorded?.finishedHash === answer.resultHash) return state
  return new Violation(
    recorded?.finishedHash === undefined
      ? `idempotency key ${key}: an answer was given that is not recorded`
      : `idempotency key ${key}: an answer was given that differs from the recorded one`,
    { ...answer, recordedHash: recorded?.finishedHash ?? null }
  )
}

function evidence({ label, transactionId, changes }: Committed) {
  return { label, transactionId, changes: changes.map(({ table, key }) => `${table} ${key}`) }
}
