/** Hand-made facts for the tests of the invariants: who said what, when. */
import type { ClockSet } from "../facts/ClockSet.ts"
import type { Committed, Envelope, RowChange } from "../facts/Envelope.ts"
import type { DomainFact } from "../facts/Facts.ts"
import type { Fleet } from "../fleet/Fleet.ts"
import type { IdempotencyKey } from "../idempotency/IdempotencyKey.ts"
import type { Instance } from "../instance/Instance.ts"
import { liveNameOf } from "../instance/Instance.ts"
import { placementOf } from "../bucket/Bucket.ts"
import type { LeaseRow } from "../ports/Storage.ts"
import type { Table } from "../ports/Table.ts"
import * as Parking from "../reconcile/Parking.ts"
import { type Invariant, toCheck } from "./Invariant.ts"

/** The incarnation of the node is 1 unless another is given. */
export type Line = readonly [seconds: number, node: string, fact: DomainFact, incarnation?: number]

/** What the invariant says to the story: the message of the first violation, or "holds". */
export const told = <S>(invariant: Invariant<S>, ...lines: ReadonlyArray<Line>): string => {
  const judge = toCheck(invariant).start()
  for (const envelope of envelopes(lines)) {
    const violation = judge.step(envelope)
    if (violation !== undefined) return violation.message
  }
  return "holds"
}

export const envelopes = (lines: ReadonlyArray<Line>): ReadonlyArray<Envelope> =>
  lines.map(([seconds, node, fact, incarnation = 1], index) => ({
    id: index + 1,
    atMicros: micros(seconds),
    node,
    incarnation,
    cause: 0,
    fact
  }))

export const micros = (seconds: number): number => Math.round(seconds * 1_000_000)

/** A commit of the store. */
export const commit = (
  label: string,
  changes: ReadonlyArray<RowChange>,
  fences: Committed["fences"] = []
): Committed => ({ _tag: "Committed", label, transactionId: 1, fences, changes })

export const change = <R>(table: Table<R>, key: string, before: R | null, after: R | null): RowChange => ({
  table: table.name,
  key,
  before: before as RowChange["before"],
  after: after as RowChange["after"]
})

/** The store's clock reads this many seconds from now on; its last jump, if it was one. */
export const clockSet = (seconds: number, readsSeconds: number, jumpSeconds = 0): Line => {
  const fact: ClockSet = {
    _tag: "ClockSet",
    wallMicros: micros(readsSeconds),
    rate: 1,
    jumpMicros: micros(jumpSeconds)
  }
  return [seconds, "database", fact]
}

/** A lease of n1, acquired at `seconds` for 6 s. */
export const leaseRow = (seconds: number, changes: Partial<LeaseRow> = {}): LeaseRow => ({
  key: "leader",
  holder: "n1/1",
  epoch: 1,
  acquiredAt: micros(seconds),
  renewedAt: micros(seconds),
  expiresAt: micros(seconds + 6),
  releasedAt: null,
  ...changes
})

/** A live instance of the fleet p/web. */
export const instanceRow = (uid: string, changes: Partial<Instance> = {}): Instance => {
  const row: Instance = {
    uid,
    project: "p",
    name: "web-0",
    liveName: null,
    fleet: "p/web",
    ordinal: 0,
    ...placementOf(uid),
    state: "PENDING",
    reason: null,
    spec: { image: "web:1", size: "small" },
    revision: 1,
    attempt: 0,
    agent: null,
    agentIncarnation: null,
    lastHeartbeatAt: null,
    deletionRequestedAt: null,
    createdAt: 0,
    updatedAt: 0,
    dueAt: 0,
    ...Parking.unfailed,
    readyChangedAt: null,
    ...changes
  }
  return row.deletionRequestedAt === null ? { ...row, liveName: liveNameOf(row) } : row
}

export const fleetRow = (changes: Partial<Fleet> = {}): Fleet => ({
  id: "p/web",
  project: "p",
  name: "web",
  ...placementOf("p/web"),
  desired: 1,
  spec: { image: "web:1", size: "small" },
  generation: 1,
  scaledGeneration: 0,
  pausedAt: null,
  createdAt: 0,
  updatedAt: 0,
  dueAt: 0,
  deletionRequestedAt: null,
  ...Parking.unfailed,
  ...changes
})

export const keyRow = (changes: Partial<IdempotencyKey> = {}): IdempotencyKey => ({
  scope: "p/alice/fleets/put",
  key: "k1",
  fingerprint: "f1",
  state: "executing",
  holder: "n1/1",
  epoch: 1,
  claimedAt: 0,
  claimExpiresAt: micros(5),
  status: null,
  body: null,
  createdAt: 0,
  expiresAt: micros(86_400),
  ...changes
})
